/** Creates a server certificate that pods trust by the CA that every namespace has. */
import { readFile } from 'node:fs/promises'
import { clusterCa } from './entra.ts'
import { CLUSTER_CA_KEY } from './environment.ts'
import { run } from './run.ts'
import { createFolder } from '../../fixtures/folder.ts'

const openssl = (...args: readonly string[]) => run('openssl', args)

/** Returns a certificate for the host and its key, PEM, signed by the key of the cluster's CA. */
export async function createServerCertificate(host: string) {
  using directory = createFolder()
  const { file, write } = directory
  const names = `subjectAltName=DNS:${host}`
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const out = ['-keyout', file('key.pem'), '-out', file('csr.pem')]
  await openssl('req', '-new', ...key, ...out, '-subj', '/CN=wimds-e2e-entra')
  const caFile = write('ca.pem', await clusterCa())
  const ca = ['-CA', caFile, '-CAkey', CLUSTER_CA_KEY, '-CAcreateserial', '-days', '2']
  const request = ['-req', '-in', file('csr.pem'), '-extfile', write('extensions', names)]
  const { stdout: certPem } = await openssl('x509', ...request, ...ca)
  return { certPem, keyPem: await readFile(file('key.pem'), 'utf8') }
}
