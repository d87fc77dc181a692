/** Stores the certificate of the replicas in a Secret, and publishes its CA in the MutatingWebhookConfiguration. */
import * as z from 'zod/mini'
import { type ApiServer, hasStatus, ifFound } from '../../kubernetes/api-client.ts'
import type { CertificateMaterial } from './certificates.ts'

/** The Secret in which the replicas share their certificate. */
export type CertificateStore = ReturnType<typeof createCertificateStore>

const Strings = z.nullish(z.record(z.string(), z.string()))
const Secret = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: Strings,
})

/** Creates the store. `name` is the name of the MutatingWebhookConfiguration. The Secret has this name with the suffix -tls. */
export function createCertificateStore(
  api: ApiServer,
  { namespace, name: configuration }: { readonly namespace: string; readonly name: string },
) {
  const name = `${configuration}-tls`
  const title = `the Secret ${namespace}/${name}`
  const secrets = `/api/v1/namespaces/${namespace}/secrets`

  return {
    /** Returns the certificate and the revision of the Secret. Both are undefined if the Secret does not exist. */
    async read() {
      const call = { action: `read ${title}`, path: `${secrets}/${name}` }
      const secret = await ifFound(api.call(call, Secret))
      return { material: parseSecret(secret?.data), revision: secret?.metadata.resourceVersion }
    },
    /** Writes the Secret, or creates it if there is no revision. Returns false if the Secret has changed since `read`. */
    async write(material: CertificateMaterial, revision: string | undefined): Promise<boolean> {
      const data = formatSecret(material)
      const call =
        revision === undefined
          ? {
              action: `create ${title}`,
              method: 'POST' as const,
              path: secrets,
              // If a replica creates the Secret during an uninstall, Kubernetes deletes it together with its owner.
              body: {
                metadata: {
                  name,
                  ownerReferences: [formatOwner(await readConfiguration(api, configuration))],
                },
                type: 'Opaque',
                data,
              },
            }
          : {
              action: `write ${title}`,
              method: 'PATCH' as const,
              path: `${secrets}/${name}`,
              body: [
                { op: 'test', path: '/metadata/resourceVersion', value: revision },
                { op: 'add', path: '/data', value: data },
              ],
            }
      try {
        await api.call(call, z.unknown())
        return true
      } catch (error) {
        // 404: the Secret was deleted since it was read. 409: a conflict. 422: its revision differs.
        if (hasStatus(error, 404, 409, 422)) return false
        throw error
      }
    },
  }
}

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

const Configuration = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  webhooks: z.nullish(
    z.array(
      z.object({ name: z.string(), clientConfig: z.object({ caBundle: z.nullish(z.string()) }) }),
    ),
  ),
})

async function readConfiguration(api: ApiServer, name: string) {
  const action = `read the MutatingWebhookConfiguration ${name}`
  return await api.call({ action, path: `${CONFIGURATIONS}/${name}` }, Configuration)
}

function formatOwner({ metadata: { name, uid } }: z.infer<typeof Configuration>) {
  const apiVersion = 'admissionregistration.k8s.io/v1'
  return { apiVersion, kind: 'MutatingWebhookConfiguration', name, uid }
}

/** Writes the CA certificates into each webhook of the MutatingWebhookConfiguration whose caBundle differs. */
export async function publishCa(api: ApiServer, name: string, caPem: string): Promise<void> {
  const caBundle = encodeBase64(caPem)
  const { webhooks } = await readConfiguration(api, name)
  const body = (webhooks ?? []).flatMap((webhook, index) =>
    webhook.clientConfig.caBundle === caBundle
      ? []
      : [
          // The order of the webhooks may have changed since they were read.
          { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
        ],
  )
  if (body.length === 0) return
  const action = `write the caBundle of the MutatingWebhookConfiguration ${name}`
  const call = { action, method: 'PATCH' as const, path: `${CONFIGURATIONS}/${name}`, body }
  await api.call(call, z.unknown())
}

function parseSecret(data: z.infer<typeof Strings>): CertificateMaterial | undefined {
  const [certPem, keyPem, caPem] = ['tls.crt', 'tls.key', 'ca.crt'].map((key) =>
    Buffer.from(data?.[key] ?? '', 'base64').toString(),
  )
  return certPem && keyPem && caPem ? { certPem, keyPem, caPem } : undefined
}

function formatSecret({ certPem, keyPem, caPem }: CertificateMaterial): Record<string, string> {
  return {
    'tls.crt': encodeBase64(certPem),
    'tls.key': encodeBase64(keyPem),
    'ca.crt': encodeBase64(caPem),
  }
}

const encodeBase64 = (text: string): string => Buffer.from(text).toString('base64')
