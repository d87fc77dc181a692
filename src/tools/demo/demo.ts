/** `wimds demo`: the whole flow on this machine, offline; each step is checked and explained. */
import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { UsageError } from '../../lib/errors.ts'
import { type CommandDeclaration, parseFlags } from '../../lib/args.ts'
import { errorMessage, printError } from '../../lib/describe-error.ts'
import { docsPage } from '../../lib/version.ts'
import { REPORTS } from '../simulator/defaults.ts'
import { createSimulator, type Simulator } from '../simulator/simulator.ts'
import { type CommandIo, untilShutdown } from '../../lib/command.ts'
import { type Sidecar, startSidecar } from './sidecar.ts'
import { runSteps } from './steps.ts'
import { SECRET, startVault } from './vault.ts'

export const DEMO = {
  name: 'demo',
  group: 'Try without Azure',
  summary: 'run the whole flow on this machine, offline, with explanations',
  description:
    'Starts a sidecar, and simulates a cluster issuer, Entra ID and a vault, which validate signatures and claims. An application that knows only managed identities then reads a secret. The demo explains each step. Works offline.',
  flags: {
    keep: { help: 'keep running afterwards, and print URLs and commands to try' },
  },
  examples: ['wimds demo --keep'],
  exitCodes: { 0: 'every step succeeded', 1: 'a step failed' },
} as const satisfies CommandDeclaration

interface DemoOptions {
  /** Script of the command line, which starts the sidecar. */
  readonly cli?: string
  /** Called before the first step. A test adds its faults here. */
  readonly prepare?: (simulator: Simulator) => void
}

/** Runs the demo. Returns 0 if every step succeeded, 1 if one failed. Throws `UsageError`. */
export async function demo(
  args: readonly string[],
  io: CommandIo,
  { cli = process.argv[1] ?? '', prepare = () => {} }: DemoOptions = {},
): Promise<number> {
  const flags = parseFlags(args, DEMO)
  const print = (line: string) => void io.stdout.write(`${line}\n`)
  if (flags.problems.length > 0) throw new UsageError(flags.problems)
  const start = performance.now()
  await using simulator = await createSimulator()
  prepare(simulator)
  try {
    print('wimds demo: an IMDS client gets a token by workload identity federation.\n')
    await using vault = await startVault(simulator)
    await using sidecar = await startSidecar(cli, simulator)
    const ready = `ready after ${Math.round(sidecar.readyAfterMs)} ms`
    print(`   issuer     ${simulator.issuer.issuer}  signs projected tokens, as a cluster does`)
    print(`   Entra ID   ${simulator.authorityHost}  validates them and issues access tokens`)
    print(`   vault      ${vault.url}  validates access tokens`)
    print(`   sidecar    ${sidecar.origin}  ${ready}\n`)
    const fetchSecret = () => runApplication(cli, vault.url, sidecar)
    await runSteps({ simulator, sidecar, fetchSecret, print })
    print(`\nDemo completed in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
    print(NEXT)
    if (flags.has('keep')) {
      print(formatKeepText(sidecar))
      await untilShutdown(io)
    }
    return 0
  } catch (error) {
    printError(io, 'wimds demo', errorMessage(error))
    return 1
  }
}

/** True if npm installed the package; false in a checkout. */
const IS_INSTALLED = import.meta.url.includes('/node_modules/')

const NEXT = `
${IS_INSTALLED ? '' : `Next, install the command line: ${docsPage('install')}\n`}${IS_INSTALLED ? 'Next' : 'Then'}, with your own cluster and manifests; neither changes anything:

  wimds doctor --pre
      says whether the cluster can run it
  wimds inject -o diff --image-registry REGISTRY deployment.yaml
      shows what would be added to the manifest`

function formatKeepText({ tokenUrl, adminOrigin }: Sidecar): string {
  const query = 'api-version=2018-02-01&resource=https://vault.azure.net'
  return `
The sidecar keeps running until Ctrl-C.

  Status page  ${adminOrigin}/status
  Metrics      ${adminOrigin}/metrics

Commands to try:

  curl -H Metadata:true '${tokenUrl}?${query}'
  curl '${tokenUrl}?${query}'        # 400: no Metadata header
  curl -H Metadata:true '${tokenUrl}?${query}&client_id=${REPORTS.clientId}'`
}

/**
 * Reads the vault's secret with the application, which the build puts next to `cli`. If the application fails, throws an error
 * with its message.
 */
async function runApplication(
  cli: string,
  vaultUrl: string,
  { origin }: Sidecar,
): Promise<{ readonly value: string; readonly tokenMs: number }> {
  const script = join(dirname(realpathSync(cli)), 'demo/application.mjs')
  const env = {
    AZURE_POD_IDENTITY_AUTHORITY_HOST: origin,
    VAULT_URL: vaultUrl,
    SECRET_NAME: SECRET.name,
    NODE_NO_WARNINGS: '1',
  }
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script], { env })
    return JSON.parse(stdout)
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    // Node prints the line that throws before the error. In a bundle this line is most of the program.
    const [reason = stderr.trim()] = /^\w*Error: .*/m.exec(stderr) ?? []
    throw new Error(`the application failed: ${reason}`, { cause: error })
  }
}
