/** The compose file: its services run as processes, with the commands and variables that it gives them. */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { startChild } from '../../src/tools/demo/sidecar.ts'
import { freePort } from '../support/free-port.ts'
import { ROOT } from './pages.ts'
import { createFolder } from '../fixtures/folder.ts'

const Service = z.looseObject({
  build: z.union([z.string(), z.looseObject({ target: z.string() })]).optional(),
  command: z.array(z.string()).default(['serve']),
  environment: z.record(z.string(), z.string()).default({}),
})
const Compose = z.object({
  services: z.object({
    simulator: Service,
    wimds: Service,
    redirect: Service,
    application: Service,
  }),
  volumes: z.object({ assertion: z.null() }),
})

const { services } = Compose.parse(
  parse(await readFile(join(ROOT, 'examples/compose/compose.yaml'), 'utf8')),
)

/** Copies the files of the sidecar's image; returns its script. */
async function copyImage(directory: string): Promise<string> {
  const files = await readFile(join(ROOT, 'dist/images/wimds/files'), 'utf8')
  for (const file of files.trim().split('\n')) {
    await cp(join(ROOT, 'dist', file), join(directory, file))
  }
  return join(directory, 'wimds.js')
}

/** Starts a service without a container: the simulator's name is this machine, and the volume a directory. */
function start(
  script: string,
  { command, environment }: z.output<typeof Service>,
  replacements: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
): AsyncDisposable {
  const adapt = (text: string) =>
    Object.entries(replacements).reduce((done, [from, to]) => done.replaceAll(from, to), text)
  const env = Object.entries(environment).map(([name, value]) => [name, adapt(value)])
  return startChild(script, command.map(adapt), { ...Object.fromEntries(env), ...more })
}

test('its sidecar gets a token from its simulator', async () => {
  using directory = createFolder()
  const image = await copyImage(directory.file('image'))
  const [entraPort, port] = [await freePort(), await freePort()]
  const replacements = {
    '/var/run/secrets/wimds': directory.path,
    '0.0.0.0:8443': `127.0.0.1:${entraPort}`,
    'simulator:8443': `localhost:${entraPort}`,
    '--host=simulator': '--host=localhost',
  }
  await using started = new AsyncDisposableStack()
  // Its stage of the Dockerfile has all commands.
  expect(services.simulator.build).toMatchObject({ target: 'build' })
  const [program, script = '', ...command] = services.simulator.command
  expect(program).toBe('node')
  started.use(start(join(ROOT, script), { ...services.simulator, command }, replacements))
  await expect.poll(() => readFile(directory.file('env'), 'utf8')).toBeTruthy()
  const listen = { WIMDS_LISTEN: `127.0.0.1:${port}`, WIMDS_ADMIN_LISTEN: 'off' }
  started.use(start(image, services.wimds, replacements, listen))
  const url = services.application.command.at(-1)?.replace('169.254.169.254', `127.0.0.1:${port}`)
  const ask = async (): Promise<unknown> => {
    const reply = await fetch(String(url), { headers: { Metadata: 'true' } })
    return await reply.json()
  }
  await expect.poll(ask).toMatchObject({ client_id: services.wimds.environment['AZURE_CLIENT_ID'] })
}, 120_000)
