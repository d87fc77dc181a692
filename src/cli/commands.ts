/** The commands, in the order of `wimds help`. Each is loaded when it is needed, so that none pays for another. */
import type { CommandDeclaration } from '../lib/args.ts'
import type { Command } from '../lib/command.ts'

interface CommandEntry {
  readonly load: () => Promise<Command>
  /** Loads the flags and help texts. */
  readonly declare: () => Promise<CommandDeclaration>
}

/** Explains the others, also a command that is unknown. */
export const HELP_COMMAND = entry(async () => {
  const { createHelp, HELP } = await import('./help.ts')
  return [createHelp({ declare, declareAll }), HELP]
})

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: {
    load: async () => (await import('./precompiled.ts')).loadServe(),
    declare: async () => (await import('../sidecar/serve/declaration.ts')).SERVE,
  },
  redirect: entry(async () => {
    const { redirect, REDIRECT } = await import('../sidecar/redirect/redirect.ts')
    return [redirect, REDIRECT]
  }),
  probe: entry(async () => {
    const { probe, PROBE } = await import('../sidecar/probe.ts')
    return [probe, PROBE]
  }),
  webhook: entry(async () => {
    const { webhook, WEBHOOK } = await import('../cluster/webhook/webhook.ts')
    return [webhook, WEBHOOK]
  }),
  'node-agent': entry(async () => {
    const { nodeAgent, NODE_AGENT } = await import('../cluster/node-agent/node-agent.ts')
    return [nodeAgent, NODE_AGENT]
  }),
  'node-broker': entry(async () => {
    const { nodeBroker, NODE_BROKER } = await import('../cluster/node-broker/node-broker.ts')
    return [nodeBroker, NODE_BROKER]
  }),
  inject: entry(async () => {
    const { inject, INJECT } = await import('../tools/inject/inject.ts')
    return [inject, INJECT]
  }),
  uninject: entry(async () => {
    const { uninject, UNINJECT } = await import('../tools/inject/uninject.ts')
    return [uninject, UNINJECT]
  }),
  trust: entry(async () => {
    const { trust, TRUST } = await import('../tools/trust/trust.ts')
    return [trust, TRUST]
  }),
  doctor: entry(async () => {
    const { doctor, DOCTOR } = await import('../tools/doctor/doctor.ts')
    return [doctor, DOCTOR]
  }),
  report: entry(async () => {
    const { report, REPORT } = await import('../tools/report/report.ts')
    return [report, REPORT]
  }),
  token: entry(async () => {
    const { token, TOKEN } = await import('../tools/token.ts')
    return [token, TOKEN]
  }),
  env: entry(async () => {
    const { env, ENV } = await import('../tools/env.ts')
    return [env, ENV]
  }),
  demo: entry(async () => {
    const { demo, DEMO } = await import('../tools/demo/demo.ts')
    return [demo, DEMO]
  }),
  simulate: entry(async () => {
    const { simulate, SIMULATE } = await import('../tools/simulator/simulate.ts')
    return [simulate, SIMULATE]
  }),
  version: entry(async () => {
    const { version, VERSION_COMMAND } = await import('./version-command.ts')
    return [version, VERSION_COMMAND]
  }),
  help: HELP_COMMAND,
}

function entry(loadBoth: () => Promise<readonly [Command, CommandDeclaration]>): CommandEntry {
  return {
    load: async () => (await loadBoth())[0],
    declare: async () => (await loadBoth())[1],
  }
}

/** Loads the declaration of a command; undefined for an unknown one. */
export async function declare(name: string): Promise<CommandDeclaration | undefined> {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name]?.declare() : undefined
}

/** Loads the declarations of the commands that are installed here, for help and docs/cli.md. */
export async function declareAll(): Promise<readonly CommandDeclaration[]> {
  const declarations = await Promise.all(
    Object.values(COMMANDS).map(async (command) =>
      command.declare().catch((error: unknown) => {
        if (isNotInstalled(error)) return []
        throw error
      }),
    ),
  )
  return declarations.flat()
}

/** Returns whether a module is missing: each image has the commands that it needs, and no others. */
export function isNotInstalled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}
