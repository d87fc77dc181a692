/** Creates a server certificate. Pods trust it by the cluster's CA, which every namespace has. */
import { readFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { clusterCa } from './entra.ts'
import { CLUSTER_CA_KEY } from './environment.ts'
import { eventually } from './eventually.ts'
import { kubectl, run } from './run.ts'
import { createFolder } from '../../fixtures/folder.ts'

const NAME = 'wimds-e2e-entra'
/** The subject of a kubelet: the controller manager signs no other server certificates. */
const SUBJECT = '/O=system:nodes/CN=system:node:wimds-e2e-entra'
const openssl = (...args: readonly string[]) => run('openssl', args)

/** Returns a certificate for the host, signed by the cluster's CA, and its key, in PEM. */
export async function createServerCertificate(host: string) {
  using directory = createFolder()
  const { file, write } = directory
  const names = `subjectAltName=DNS:${host}`
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const out = ['-keyout', file('key.pem'), '-out', file('csr.pem')]
  await openssl('req', '-new', ...key, ...out, '-subj', SUBJECT, '-addext', names)
  const csr = await readFile(file('csr.pem'), 'utf8')
  const keyPem = await readFile(file('key.pem'), 'utf8')
  if (CLUSTER_CA_KEY === undefined) return { certPem: await signInCluster(csr), keyPem }
  const caFile = write('ca.pem', await clusterCa())
  const ca = ['-CA', caFile, '-CAkey', CLUSTER_CA_KEY, '-CAcreateserial', '-days', '2']
  const request = ['-req', '-in', file('csr.pem'), '-extfile', write('extensions', names)]
  return { certPem: (await openssl('x509', ...request, ...ca)).stdout, keyPem }
}

/** Lets the controller manager sign the request with the cluster's CA. */
async function signInCluster(csr: string): Promise<string> {
  const object = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: NAME },
    spec: {
      request: Buffer.from(csr).toString('base64'),
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      expirationSeconds: 86_400,
    },
  }
  await kubectl(['delete', 'csr', NAME, '--ignore-not-found'])
  await kubectl(['create', '-f', '-'], stringify(object))
  await kubectl(['certificate', 'approve', NAME])
  const path = '--output=jsonpath={.status.certificate}'
  const signed = await eventually(
    'the cluster signs a certificate. Fix: if it signs none, set CLUSTER_CA_KEY',
    async () => (await kubectl(['get', 'csr', NAME, path])) || undefined,
  )
  await kubectl(['delete', 'csr', NAME])
  return Buffer.from(signed, 'base64').toString()
}
