/** The certificate's Secret and the CA's configuration, in an API server that fails and has conflicts. */
import { afterEach, describe, expect, test } from 'vitest'
import { connectToApiServer } from '../../../src/kubernetes/api-client.ts'
import {
  createCertificateStore,
  publishCa,
} from '../../../src/injection/webhook/certificate-store.ts'
import {
  answer,
  CONFIGURATION,
  CONFIGURATION_UID,
  CREATE_SECRET,
  PATCH_CONFIGURATION,
  PATCH_SECRET,
  READ_SECRET,
  startApiServer,
} from '../../fixtures/api-server.ts'

let calls = new AbortController()
afterEach(() => {
  calls.abort()
  calls = new AbortController()
})

const MATERIAL = { certPem: 'c', keyPem: 'k', caPem: 'a' }
const connect = () =>
  createCertificateStore(connectToApiServer(calls.signal), {
    namespace: 'wimds',
    name: 'wimds',
  })

describe('the certificate store', () => {
  test('creates the Secret if it is missing, so that other replicas read it and an uninstall deletes it', async () => {
    let created = ''
    await using _ = await startApiServer({
      [READ_SECRET]: (response) => {
        if (created === '') return answer(response, 404, {})
        const { data }: { data: object } = JSON.parse(created)
        answer(response, 200, { metadata: { resourceVersion: '1' }, data })
      },
      [CREATE_SECRET]: (response, _count, body) => {
        created = body
        answer(response, 201, {})
      },
    })
    const { material, revision } = await connect().read()
    expect(material).toBeUndefined()
    expect(await connect().write(MATERIAL, revision)).toBe(true)
    const owner = { kind: 'MutatingWebhookConfiguration', name: 'wimds', uid: CONFIGURATION_UID }
    expect(JSON.parse(created)).toMatchObject({
      metadata: { name: 'wimds-tls', ownerReferences: [owner] },
    })
    expect(await connect().read()).toEqual({ material: MATERIAL, revision: '1' })
  })

  test.each([
    ['another replica has created it', CREATE_SECRET, 409, undefined],
    ['another replica has written it', PATCH_SECRET, 422, '1'],
    ['it was deleted since it was read', PATCH_SECRET, 404, '1'],
  ])('reports a conflict if %s', async (_, call, status, revision) => {
    await using api = await startApiServer({ [call]: (response) => answer(response, status, {}) })
    expect(await connect().write(MATERIAL, revision)).toBe(false)
    expect(api.calls(call)).toBe(1)
  })
})

describe('publishCa', () => {
  const CA = Buffer.from(MATERIAL.caPem).toString('base64')

  test.each([
    ['no webhook has it yet', [{}, {}], [0, 1]],
    ['one has another', [{ caBundle: CA }, { caBundle: 'b3RoZXI=' }], [1]],
    ['all have it', [{ caBundle: CA }], []],
  ])('writes the CA into the webhooks that lack it if %s', async (...[, configs, written]) => {
    let patch = '[]'
    await using api = await startApiServer({
      [CONFIGURATION]: (response) => answer(response, 200, configuration(configs)),
      [PATCH_CONFIGURATION]: (response, _count, body) => {
        patch = body
        answer(response, 200, {})
      },
    })
    await publishCa(connectToApiServer(calls.signal), 'wimds', MATERIAL.caPem)
    expect(api.calls(PATCH_CONFIGURATION)).toBe(Math.min(written.length, 1))
    expect(JSON.parse(patch)).toEqual(
      written.flatMap((index) => [
        { op: 'test', path: `/webhooks/${index}/name`, value: `webhook-${index}` },
        { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: CA },
      ]),
    )
  })
})

/** Returns the configuration with a webhook for each of these. */
const configuration = (clientConfigs: readonly object[]) => ({
  metadata: { name: 'wimds', uid: CONFIGURATION_UID },
  webhooks: clientConfigs.map((clientConfig, index) => ({
    name: `webhook-${index}`,
    clientConfig,
  })),
})
