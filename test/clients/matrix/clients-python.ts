/** The Python clients, az among them. */
import { type Client, createPair, IMDS_MODES, STORAGE } from './client.ts'
import { driverPath } from './workspaces.ts'

const script =
  (name: string): Client['command'] =>
  (workspace) => [`${workspace}/bin/python`, driverPath(`python/${name}_driver.py`)]

const az: Client['command'] = (workspace) => [
  ...(['sh', driverPath('shell/az-login.sh')] as const),
  `${workspace}/bin/az`,
]

const current = { language: 'Python', workspace: 'python-current' } as const
const legacy = { language: 'Python', workspace: 'python-legacy' } as const

export const PYTHON_CLIENTS: readonly Client[] = [
  ...createPair(
    {
      ...current,
      name: 'azure-identity',
      version: '1.27.0',
      command: script('azure_identity'),
      asksAgain: true,
    },
    [...IMDS_MODES, 'host-override', 'app-service-2019', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'host-override', 'app-service-2019'],
  ),
  ...createPair(
    {
      ...legacy,
      name: 'azure-identity',
      version: '1.5.0',
      command: script('azure_identity'),
      asksAgain: true,
    },
    ['system', 'client-id', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'app-service-2017'],
  ),
  {
    ...current,
    name: 'msal ManagedIdentityClient',
    version: '1.39.0',
    command: script('msal'),
    asksAgain: true,
    modes: [...IMDS_MODES, 'host-override', 'app-service-2019', 'app-service-2017'],
  },
  {
    ...legacy,
    name: 'msrestazure MSIAuthentication',
    version: '0.6.4.post1',
    command: script('msrestazure'),
    modes: [...IMDS_MODES, 'cloud-shell'],
  },
  {
    ...current,
    name: 'az login --identity',
    version: '2.45.0',
    workspace: 'az-2.45',
    command: az,
    variant: 'username',
    modes: [...IMDS_MODES, 'cloud-shell'],
  },
  {
    ...current,
    name: 'az login --identity',
    version: '2.91.0',
    workspace: 'az-current',
    command: az,
    modes: [...IMDS_MODES, 'host-override', 'app-service-2019'],
  },
  {
    ...current,
    name: 'azure-storage-blob with Azurite',
    version: '12.31.1',
    command: script('storage_blob'),
    resource: STORAGE,
    modes: ['system', 'host-override'],
    usesAzurite: true,
  },
  {
    ...current,
    name: 'OpenTelemetry AzureVMResourceDetector',
    version: '0.3.0',
    command: script('opentelemetry'),
    modes: ['system'],
    detects: true,
  },
]
