/** The command line of the azure-workload-identity proxy, for its webhook and for people's manifests. */
import { ConfigError } from '../errors.ts'
import { parseFlags } from '../lib/args.ts'
import type { CommandIo } from './io.ts'

const USAGE = `usage: wimds [--proxy-port PORT] [--log-level LEVEL] [--probe] [--version]

Without a command wimds takes the flags of the azure-workload-identity proxy, in whose place it can run.

  --proxy-port PORT  serve on 127.0.0.1:PORT (default 8000)
  --log-level LEVEL  info (the default), debug, trace or all
  --probe            exit 0 once http://127.0.0.1:PORT/readyz says that the proxy is ready
  --version          print the version
`

const FLAGS = {
  'proxy-port': 'value',
  'log-level': 'value',
  probe: 'switch',
  version: 'switch',
  help: 'switch',
} as const

/** That proxy's levels, and ours. */
const LEVELS: Readonly<Record<string, string>> = {
  '': 'info',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
  all: 'debug',
}

/**
 * Serves, probes or prints, as that proxy would. Our own variables go before its flags, but where it
 * has no second port, there is none unless `WIMDS_ADMIN_LISTEN` asks for it. Throws `ConfigError`.
 */
export async function dropIn(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args.map(asLongFlag).filter(isMeant), FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const level = flags.value('log-level') ?? ''
  const logLevel = Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined
  const port = flags.value('proxy-port') ?? '8000'
  const mistakes = [
    ...flags.mistakes,
    ...flags.positionals.map((word) => `${word} is not a command`),
    ...(logLevel === undefined ? ['--log-level must be info, debug, trace or all'] : []),
    ...(isPort(port) ? [] : ['--proxy-port is not a port']),
  ]
  if (mistakes.length > 0) throw new ConfigError(`${mistakes.join('\n')}\n\n${USAGE}`)
  if (flags.has('version')) return (await import('./version.ts')).version([], io)
  if (flags.has('probe')) return (await import('./probe.ts')).probe(['--port', port], io)
  const { serve } = await import('./serve/serve.ts')
  const asked = {
    WIMDS_LISTEN: `127.0.0.1:${port}`,
    WIMDS_ADMIN_LISTEN: 'off',
    WIMDS_LOG_LEVEL: logLevel,
  }
  return serve([], { ...io, env: { ...asked, ...io.env } })
}

/** Go's flags have one dash or two, and a switch may have a value. */
function asLongFlag(arg: string): string {
  return arg.replace(/^--?(?=[a-z])/, '--').replace(/^(--(?:probe|version))=(?:true|1|t)$/i, '$1')
}

const isMeant = (arg: string): boolean => !/^--(?:probe|version)=(?:false|0|f)$/i.test(arg)

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536
}
