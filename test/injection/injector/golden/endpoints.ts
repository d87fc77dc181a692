/** The endpoint variables of SDKs, and what a container’s own ones change. */
import { CLIENT } from '../patched.ts'
import { allEnv, type Cases, ENV, env, NODE, OTHER_CLIENT, SECRET, toEnv, UID } from './shared.ts'

const ORIGIN = 'http://127.0.0.1:64169'
const MSI = `${ORIGIN}/msi/token`
const IMDS = `${ORIGIN}/metadata/identity/oauth2/token`
const header = (value: string | object) => ({ IDENTITY_ENDPOINT: MSI, IDENTITY_HEADER: value })

export const ENDPOINTS: Cases = {
  'in mode env, of containers with': {
    annotations: ENV,
    spec: allEnv({
      nothing: {},
      'another host': { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://localhost:64169' },
      'the client id of Azure ML': { DEFAULT_IDENTITY_CLIENT_ID: 'c' },
      'an endpoint': { IDENTITY_ENDPOINT: MSI },
      'an older endpoint': { MSI_ENDPOINT: MSI },
      'the pair': header(UID),
      'another header without endpoint': { IDENTITY_HEADER: 's' },
      'another secret without endpoint': { MSI_SECRET: SECRET },
      // Scripts use this path. IMDS answers 400 to another header than Metadata, and Cloud Shell has no secret.
      'the path of IMDS': { IDENTITY_ENDPOINT: IMDS },
      'the path of IMDS and a header': { IDENTITY_ENDPOINT: IMDS, IDENTITY_HEADER: 's' },
      'the path of IMDS in the older variable': { MSI_ENDPOINT: IMDS },
      // SDKs differ in which of the two variables they read first. Cloud Shell has no user-assigned identities.
      'Cloud Shell': { MSI_ENDPOINT: `${ORIGIN}/oauth2/token` },
    }),
  },
  'in mode env, from which SDKs get no token': {
    annotations: ENV,
    spec: allEnv({
      'a header': header('s'),
      'an empty header': header(''),
      'a Secret': { MSI_ENDPOINT: MSI, MSI_SECRET: SECRET },
      'an empty endpoint': { MSI_ENDPOINT: '' },
      'a path of no protocol': { MSI_ENDPOINT: `${ORIGIN}/msi` },
      'a path that SDKs add': { AZURE_POD_IDENTITY_AUTHORITY_HOST: IMDS },
      'another port': { MSI_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token' },
      // Clients differ in how they parse these URLs.
      'a user': { MSI_ENDPOINT: 'http://$(USER)@127.0.0.1:64169/oauth2/token' },
      'a backslash': { MSI_ENDPOINT: String.raw`http://127.0.0.1:64169\@example.com/` },
      IPv6: { MSI_ENDPOINT: 'http://[::1]:64169/oauth2/token' },
      'no port': { MSI_ENDPOINT: 'http://127.0.0.1:641690/' },
      'Service Fabric': { IDENTITY_SERVER_THUMBPRINT: 'x' },
      'Azure Arc': { IMDS_ENDPOINT: 'http://x' },
    }),
  },
  'in mode env with a header of the operator': {
    annotations: ENV,
    spec: allEnv({ 'the same': header('the same'), 'a Secret': header(SECRET) }),
    settings: { sidecarEnv: toEnv({ WIMDS_IDENTITY_HEADER: 'the same' }) },
  },
  'in mode env with another header than the operator’s': {
    annotations: ENV,
    spec: allEnv({ other: header('other'), uid: header(UID) }),
    settings: { sidecarEnv: toEnv({ WIMDS_IDENTITY_HEADER: 'the same' }) },
  },
  'in mode env with an empty header of the operator': {
    annotations: ENV,
    settings: { sidecarEnv: toEnv({ WIMDS_IDENTITY_HEADER: '' }) },
  },
  'in mode loopback, of containers with': {
    spec: allEnv({
      'the pair': header('s'),
      'another endpoint': { IDENTITY_ENDPOINT: 'http://127.0.0.1:41000/msi/token' },
      'another host': { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:41000' },
      'the address of IMDS': {
        MSI_ENDPOINT: 'http://169.254.169.254:80/metadata/identity/oauth2/token',
      },
      localhost: { MSI_ENDPOINT: 'http://localhost:64169/OAuth2//token/' },
      nothing: { MSI_ENDPOINT: '' },
      'a path of no protocol': { MSI_ENDPOINT: `${ORIGIN}/msi` },
      'App Service at the address of IMDS': { MSI_ENDPOINT: 'http://169.254.169.254/msi/token' },
      'another identity': { AZURE_CLIENT_ID: OTHER_CLIENT },
      'the identity of the pod': { AZURE_CLIENT_ID: CLIENT },
      'an empty client id': { AZURE_CLIENT_ID: '' },
    }),
  },
  'in mode loopback, of a protocol that the sidecar does not speak': {
    spec: env({ IMDS_ENDPOINT: 'http://x' }),
  },
  'in mode node, with the client id of another identity': {
    annotations: NODE,
    spec: env({ AZURE_CLIENT_ID: OTHER_CLIENT }),
  },
  'with identities of a ConfigMap, of which the client id may be one': {
    annotations: { 'wimds.io/config-map': 'ids' },
    spec: env({ AZURE_CLIENT_ID: OTHER_CLIENT }),
  },
  'of a container that is skipped': {
    annotations: { ...ENV, 'wimds.io/skip-containers': 'app' },
    spec: env({ MSI_ENDPOINT: 'http://x' }),
  },
}
