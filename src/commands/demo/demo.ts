/** `wimds demo`: the whole flow on this machine, offline, narrated, and checked at every step. */
import { UsageError } from '../../errors.ts'
import { createSimulator, type Simulator } from '../../simulator/simulator.ts'
import { REPORTS } from '../../simulator/defaults.ts'
import { complain } from '../../lib/print-error.ts'
import { mistakesOfFlagsAlone, parseFlags } from '../../lib/args.ts'
import { type CommandIo, untilShutdown } from '../io.ts'
import { messageOf } from '../../lib/collect-errors.ts'
import { fetchSecret, legacyClient } from './legacy-client.ts'
import { type Sidecar, startSidecar } from './sidecar.ts'
import { tell } from './steps.ts'

const USAGE = `usage: wimds demo [--keep]

Starts a cluster issuer, an Entra ID and a vault that truly verify, and a sidecar; lets a legacy
client fetch a secret; and says what happens. Nothing leaves this machine.

  --keep   stay up afterwards and print commands to try
`

interface DemoOptions {
  /** The command line's own script, to start the sidecar with. */
  readonly cli?: string
  /** Called before the story begins; a test may break something here. */
  readonly prepare?: (world: Simulator) => void
}

/** Exit code 0 when every chapter came true, 1 when one did not, 64 for bad usage. */
export async function demo(
  args: readonly string[],
  io: CommandIo,
  { cli = process.argv[1] ?? '', prepare = () => {} }: DemoOptions = {},
): Promise<number> {
  const flags = parseFlags(args, { keep: 'switch', help: 'switch' })
  const say = (line: string) => void io.stdout.write(`${line}\n`)
  if (flags.has('help')) {
    say(USAGE)
    return 0
  }
  const mistakes = mistakesOfFlagsAlone(flags)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const client = legacyClient(cli)
  if (client === undefined) {
    const needed = 'the demo needs a checkout and a Node that may start processes: npm run demo'
    complain(io, 'wimds demo', needed)
    return 1
  }

  const start = performance.now()
  await using world = await createSimulator()
  prepare(world)
  try {
    say('wimds demo: a legacy IMDS client, workload identity federation, and no secret anywhere.\n')
    await using sidecar = await startSidecar(cli, world)
    say(`   issuer     ${world.issuer.issuer}  signs projected tokens, as a cluster does`)
    say(`   Entra ID   ${world.authorityHost}  verifies them and issues access tokens`)
    say(`   vault      ${world.vaultUrl}  verifies those`)
    say(`   sidecar    ${sidecar.origin}  ready after ${Math.round(sidecar.readyAfterMs)} ms\n`)
    await tell({ world, sidecar, fetchSecret: () => fetchSecret(client, world, sidecar), say })
    say(`\nAll of it came true, in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
    if (flags.has('keep')) {
      say(keepText(sidecar))
      await untilShutdown(io)
    }
    return 0
  } catch (error) {
    complain(io, 'wimds demo', messageOf(error))
    return 1
  }
}

function keepText({ tokenUrl, adminOrigin }: Sidecar): string {
  const query = 'api-version=2018-02-01&resource=https://vault.azure.net'
  return `
It stays up until Ctrl-C. Try:

  curl -H Metadata:true '${tokenUrl}?${query}'
  curl '${tokenUrl}?${query}'                     # refused: no Metadata header
  curl -H Metadata:true '${tokenUrl}?${query}&client_id=${REPORTS.clientId}'
  curl ${adminOrigin}/readyz
  curl ${adminOrigin}/metrics`
}
