/** The projected token: the one that a container names, or a new one. */
import { app, type Cases, each, env, NODE, toEnv, TOKEN_FILE } from './shared.ts'

/** Returns a volume with service-account tokens at these paths. */
const tokens = (name: string, paths: readonly string[], audience?: string) => ({
  name,
  projected: { sources: paths.map((path) => ({ serviceAccountToken: { audience, path } })) },
})
const named = (
  file: string,
  volumes: readonly object[],
  volumeMounts: readonly object[],
  more = {},
) => ({
  ...app({ env: toEnv({ [TOKEN_FILE]: file, ...more }), volumeMounts }),
  volumes,
})
const AZURE = '/var/run/secrets/azure'
const OWN = [tokens('tokens', ['vault/token', 'azure/token'])]

export const TOKENS: Cases = {
  ...each(
    'of the AKS webhook before 1.6 and since then, with its variables',
    [
      ['azure-identity-token', `${AZURE}/tokens`, 'azure-identity-token'],
      ['azure-workload-identity-reserved-abc', `${AZURE}/wi`, 'token/azure-identity-token'],
    ] as const,
    ([name, mountPath, path]) => ({
      spec: named(
        `${mountPath}/${path}`,
        [tokens(name, [path])],
        [{ name, mountPath, readOnly: true }],
        {
          AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
          AZURE_KUBERNETES_TOKEN_PROXY: 'https://proxy',
        },
      ),
    }),
  ),
  // One identity by an AKS identity binding, another one by direct federation.
  'with a second one for direct federation, and one for another cloud': {
    spec: named(
      '/var/run/secrets/binding/token',
      [
        tokens('binding', ['token']),
        tokens('direct', ['token'], 'api://AzureADTokenExchange'),
        tokens('aws', ['token'], 'sts.amazonaws.com'),
      ],
      ['binding', 'direct', 'aws'].map((name) => ({ name, mountPath: `/var/run/secrets/${name}` })),
    ),
  },
  // The API server rejects a container with two mounts at one path.
  'beside two for direct federation that containers mount at one path': {
    spec: {
      containers: ['a', 'b'].map((name) => ({
        name,
        volumeMounts: [{ name, mountPath: AZURE }],
      })),
      volumes: ['a', 'b'].map((name) => tokens(name, ['token'], 'api://AzureADTokenExchange')),
    },
  },
  'beside two for direct federation at one path, of which another container mounts one elsewhere': {
    spec: {
      containers: ['a', 'b', 'b'].map((name, index) => ({
        name: `app-${index}`,
        volumeMounts: [{ name, mountPath: index === 2 ? `${AZURE}-b` : AZURE }],
      })),
      volumes: ['a', 'b'].map((name) => tokens(name, ['token'], 'api://AzureADTokenExchange')),
    },
  },
  ...each(
    'of the cloud, with WIMDS_AUDIENCE',
    ['api://AzureADTokenExchangeUSGov', 'api://other', '$(AUDIENCE)', ''],
    (audience) => ({
      settings: {
        audience: 'api://AzureADTokenExchangeUSGov',
        sidecarEnv: toEnv({ WIMDS_AUDIENCE: audience }),
      },
    }),
  ),
  ...each(
    'of the pod, with WIMDS_AUDIENCE api://other and',
    ['api://pod', undefined],
    (audience) => ({
      spec: named(
        '/var/run/secrets/own/token',
        [tokens('own', ['token'], audience)],
        [{ name: 'own', mountPath: '/var/run/secrets/own' }],
      ),
      settings: { sidecarEnv: toEnv({ WIMDS_AUDIENCE: 'api://other' }) },
    }),
  ),
  'in a file that the pod does not project': { spec: env({ [TOKEN_FILE]: '/etc/token' }) },
  ...each(
    'of the pod, by its file and mount',
    [
      ['/mnt/tokens/azure/token', { mountPath: '/mnt/tokens' }],
      ['/mnt/token', { mountPath: '/mnt', subPath: 'azure' }],
      // The kubelet never renews a mount by subPath.
      [`${AZURE}/token`, { mountPath: AZURE, subPath: 'azure' }],
      ['/mnt/token', { mountPath: '/mnt/token', subPath: 'azure/token' }],
      ['/run/secrets/tokens/azure/token', { mountPath: '/run/secrets/tokens' }],
      // The first file is not a token. Only the kubelet knows the path of the second.
      ['/mnt/ca.crt', { mountPath: '/mnt' }],
      ['/mnt/token', { mountPath: '/mnt', subPathExpr: '$(A)' }],
    ] as const,
    ([file, mount]) => ({
      spec: named(file, OWN, [
        { name: 'data', mountPath: '/' },
        { name: 'tokens', ...mount },
      ]),
    }),
  ),
  'of the pod, in mode node': {
    annotations: NODE,
    spec: named('/mnt/tokens/azure/token', OWN, [{ name: 'tokens', mountPath: '/mnt/tokens' }]),
  },
}
