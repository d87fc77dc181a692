/** The input and output of a command in a test. */
import { Readable, Writable } from 'node:stream'
import { exitWithError } from '../../src/cli/exit-codes.ts'
import type { Command, CommandIo } from '../../src/lib/command.ts'

export interface CapturedIo extends CommandIo {
  /** Everything printed on standard output so far. */
  readonly out: () => string
  /** Everything printed on standard error so far. */
  readonly err: () => string
}

export function captureIo(env: CommandIo['env'] = {}, input: string | Uint8Array = ''): CapturedIo {
  const stdout = collector()
  const stderr = collector()
  return {
    stdin: Readable.from([Buffer.from(input)]),
    stdout,
    stderr,
    env,
    signal: new AbortController().signal,
    out: () => stdout.text,
    err: () => stderr.text,
  }
}

/** Returns the name of the command on the command line. */
const nameOf = (command: Command): string =>
  command.name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)

/** Runs the command as src/cli.ts does: prints its usage errors. Returns the exit code. */
export async function exitCode(
  command: Command,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  try {
    return await command(args, io)
  } catch (error) {
    return exitWithError(io, `wimds ${nameOf(command)}`, error)
  }
}

/** Runs the command as `exitCode` does. Returns the exit code and what was printed. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  env?: CommandIo['env'],
  input?: string | Uint8Array,
) {
  const io = captureIo(env, input)
  const code = await exitCode(command, args, io)
  return { code, out: io.out(), err: io.err() }
}

function collector(): Writable & { text: string } {
  const sink = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        sink.text += chunk.toString()
        done()
      },
    }),
    { text: '' },
  )
  return sink
}
