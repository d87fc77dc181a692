/** The story that the demo tells: each chapter does something real and checks what came of it. */
import type { Simulator } from '../../simulator/simulator.ts'
import { BILLING } from '../../simulator/defaults.ts'
import { askSidecar, type Sidecar } from './sidecar.ts'

export interface Cast {
  readonly world: Simulator
  readonly sidecar: Sidecar
  /** Lets the legacy client fetch a secret. */
  readonly fetchSecret: () => Promise<{ readonly value: string; readonly tokenMs: number }>
  readonly say: (line: string) => void
}

const SECRET_VALUE = 'correct-horse'

/** Tells the story. Throws at the first chapter that does not come true. */
export async function tell(cast: Cast): Promise<void> {
  await firstToken(cast)
  await secondFromCache(cast)
  await rotation(cast)
  await refusal(cast)
}

async function firstToken({ world, fetchSecret, say }: Cast): Promise<void> {
  say('1. A legacy application fetches a secret from the vault.')
  const { value, tokenMs } = await fetchSecret()
  expect(value === SECRET_VALUE, `the vault gave ${JSON.stringify(value)}`)
  expect(world.exchanges() === 1, `Entra ID saw ${world.exchanges()} exchanges instead of 1`)
  say(
    '   @azure/ms-rest-nodeauth 3.1.1, unmodified, asked IMDS for a token of https://vault.azure.net;',
  )
  say(
    '   wimds presented the projected token to Entra ID, which verified it and issued an access token;',
  )
  say(`   the vault verified that token and gave the secret: "${value}".`)
  say(`   → token after ${ms(tokenMs)}, by 1 exchange with Entra ID`)
}

async function secondFromCache({ world, sidecar, fetchSecret, say }: Cast): Promise<void> {
  say('2. The application starts again and asks for the same token.')
  const { value } = await fetchSecret()
  const direct = await askSidecar(sidecar, { resource: 'https://vault.azure.net' })
  expect(value === SECRET_VALUE && direct.status === 200, 'the second token was refused')
  expect(world.exchanges() === 1, `Entra ID was asked again (${world.exchanges()} exchanges)`)
  say(`   → served from cache in ${ms(direct.ms)}: Entra ID has still seen only 1 exchange`)
}

async function rotation({ world, sidecar, say }: Cast): Promise<void> {
  say('3. The cluster changes its signing key, the kubelet renews the projected token, and a new')
  say('   resource is asked for.')
  await world.issuer.rotateKey()
  await world.rotateToken()
  // From here on, Entra ID would refuse the old assertion.
  world.issuer.retireOldKeys()
  const reply = await askSidecar(sidecar, { resource: 'https://storage.azure.com/' })
  expect(reply.status === 200, `the sidecar answered ${reply.status}: ${reply.error}`)
  expect(world.exchanges() === 2, `Entra ID saw ${world.exchanges()} exchanges instead of 2`)
  say(`   → token of https://storage.azure.com/ after ${ms(reply.ms)}, by the new assertion`)
}

async function refusal({ sidecar, say }: Cast): Promise<void> {
  say('4. The application asks for an identity that does not trust this pod.')
  const reply = await askSidecar(sidecar, {
    resource: 'https://vault.azure.net',
    client_id: BILLING.clientId,
  })
  expect(reply.status >= 400, 'a token was given to a pod that is not trusted')
  expect(reply.error.includes('AADSTS700213'), `the refusal does not say why: ${reply.error}`)
  const [said = '', todo = ''] = reply.error.split(' Fix: ')
  say(`   → refused with ${reply.status}: ${said.split(' Trace ID:')[0] ?? said}`)
  say(`     what to do: ${todo}`)
}

function expect(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise)
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}
