/** The command line of the azure-workload-identity proxy, which its webhook and existing manifests use. */
import { UsageError } from '../lib/errors.ts'
import { type CommandDeclaration, parseFlags, parseNumberOption, PORTS } from '../lib/args.ts'
import { START_WAIT_SECONDS } from '../lib/wait-for-port.ts'
import type { CommandIo } from '../lib/command.ts'

/**
 * The default port of the azure-workload-identity proxy. Its webhook and its examples always set PROXY_PORT for the redirect.
 */
export const DROP_IN_PORT = 8000

export const DROP_IN = {
  name: '',
  group: 'Run in a cluster',
  summary: 'take the flags of the azure-workload-identity proxy',
  description:
    'Without a command wimds takes the flags of the azure-workload-identity proxy, which it replaces.',
  // Lets each of them be reported as an unknown command.
  arguments: '...',
  flags: {
    'proxy-port': { value: 'PORT', help: `serve on 127.0.0.1:PORT (default ${DROP_IN_PORT})` },
    'log-level': {
      value: 'LEVEL',
      help: 'info (the default), debug, trace or all',
    },
    probe: { help: 'wait until http://127.0.0.1:PORT/readyz is 200, and exit 0' },
    version: { short: 'v', help: 'print the version' },
  },
} as const satisfies CommandDeclaration

/** The log levels of wimds by those of that proxy. */
const LEVELS: Readonly<Record<string, string>> = {
  '': 'info',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
  all: 'debug',
}

/**
 * Serves, probes or prints the version, as that proxy does. The variables of wimds take precedence over the
 * flags. There is no admin port unless `WIMDS_ADMIN_LISTEN` is set. Throws `UsageError` and `ConfigError`.
 */
export async function dropIn(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args.map(toLongFlag).filter(isEnabled), DROP_IN)
  const level = flags.value('log-level') ?? ''
  const logLevel = Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined
  const problems = [
    ...flags.problems,
    ...flags.positionals.map((word) => `${word} is not a command`),
    ...(logLevel === undefined ? ['--log-level must be info, debug, trace or all'] : []),
  ]
  const port =
    parseNumberOption(flags.value('proxy-port'), '--proxy-port', PORTS, problems) ?? DROP_IN_PORT
  if (problems.length > 0) throw new UsageError(problems)
  if (flags.has('version')) return (await import('./version-command.ts')).version([], io)
  if (flags.has('probe')) {
    const { probe } = await import('../sidecar/probe.ts')
    // The webhook of azure-workload-identity passes no time limit.
    return await probe(['--port', `${port}`, '--timeout', `${START_WAIT_SECONDS}`], io)
  }
  const { loadServe } = await import('./precompiled.ts')
  const serve = await loadServe()
  const settings = {
    WIMDS_LISTEN: `127.0.0.1:${port}`,
    WIMDS_ADMIN_LISTEN: 'off',
    // The proxy of azure-workload-identity ignores `api-version`, so applications behind it may send an unknown one, or none.
    WIMDS_ANY_API_VERSION: 'true',
    WIMDS_LOG_LEVEL: logLevel,
  }
  return serve([], { ...io, env: { ...settings, ...io.env } })
}

/** Converts a flag in the syntax of Go: it may have one dash, and a switch may have a value. */
function toLongFlag(arg: string): string {
  return arg
    .replace(/^--?(?=[a-z]{2})/, '--')
    .replace(/^(--(?:probe|version))=(?:true|1|t)$/i, '$1')
}

const isEnabled = (arg: string): boolean => !/^--(?:probe|version)=(?:false|0|f)$/i.test(arg)
