/** Starts the attacker process, and checks that this machine allows enough open files. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startChild } from '../../src/tools/demo/sidecar.ts'

/** 8000 idle connections; 300 that drip their headers; 200 bodies of a megabyte each second. */
export type Flood = 'idle' | 'slowloris' | 'bodies'

/** The attacker's counts. */
export interface Attack {
  readonly opened: number
  readonly closed: number
  /** Connections that read a reply. */
  readonly replies: number
}

/** Descriptors that the attacker needs. */
const DESCRIPTORS = 9000

/** Floods the port while `measure` runs. */
export async function under<T>(
  floods: readonly Flood[],
  port: string,
  measure: () => Promise<T>,
): Promise<{ attack: Attack; seen: T }> {
  const script = fileURLToPath(new URL('attacker.ts', import.meta.url))
  const attacker = startChild({ script, args: [port, ...floods], env: {} })
  let seen: T
  try {
    seen = await measure()
  } finally {
    await attacker[Symbol.asyncDispose]()
  }
  const attack: Attack = JSON.parse(attacker.output())
  return { attack, seen }
}

/** Returns whether a process may open as many files as the attacker needs; prints why not. */
export function hasDescriptors(): boolean {
  const [, hard] =
    /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  if (hard === 'unlimited' || Number(hard) >= DESCRIPTORS) return true
  process.stdout.write(
    `skipped: a process may open ${hard} files here, and the attacker needs ${DESCRIPTORS} (ulimit -Hn)\n`,
  )
  return false
}
