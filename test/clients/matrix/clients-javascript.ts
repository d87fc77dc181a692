/** The JavaScript clients. */
import { type Client, createPair, IMDS_MODES, STORAGE } from './client.ts'
import { driverPath } from './workspaces.ts'

const script =
  (name: string): Client['command'] =>
  () => [process.execPath, driverPath(`js/${name}.mjs`)]

const pinned =
  (name: string): Client['command'] =>
  (workspace) => [process.execPath, `${workspace}/${name}.mjs`]

const javascript = { language: 'JavaScript', workspace: 'js' } as const

export const JAVASCRIPT_CLIENTS: readonly Client[] = [
  ...createPair(
    {
      ...javascript,
      name: '@azure/identity',
      version: '4.14.1',
      command: script('identity'),
      asksAgain: true,
    },
    [...IMDS_MODES, 'host-override', 'app-service-2019', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'host-override', 'app-service-2019'],
  ),
  ...createPair(
    {
      ...javascript,
      name: '@azure/identity',
      version: '1.5.2',
      command: script('identity-legacy'),
      asksAgain: true,
    },
    ['system', 'client-id', 'host-override', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'host-override'],
  ),
  ...createPair(
    {
      ...javascript,
      name: '@azure/identity',
      version: '2.1.0',
      workspace: 'js-pinned',
      command: pinned('identity-2.1'),
      asksAgain: true,
    },
    ['system', 'client-id', 'host-override', 'app-service-2019', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'host-override', 'app-service-2019'],
  ),
  {
    ...javascript,
    name: '@azure/msal-node ManagedIdentityApplication',
    version: '7.2.3',
    command: script('msal-node'),
    asksAgain: true,
    modes: [...IMDS_MODES, 'host-override', 'app-service-2019', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...javascript,
    name: '@azure/ms-rest-nodeauth loginWithVmMSI',
    version: '3.1.1',
    command: script('ms-rest-nodeauth'),
    hostOption: 'msiEndpoint',
    modes: [...IMDS_MODES, 'host-override'],
  },
  {
    ...javascript,
    name: '@azure/ms-rest-nodeauth loginWithAppServiceMSI',
    version: '3.1.1',
    command: script('ms-rest-nodeauth'),
    variant: 'app-service',
    modes: ['app-service-2017'],
  },
  {
    ...javascript,
    name: 'ms-rest-azure loginWithVmMSI',
    version: '3.0.2',
    workspace: 'js-pinned',
    command: pinned('ms-rest-azure'),
    hostOption: 'msiEndpoint',
    modes: ['system', 'host-override'],
  },
  {
    ...javascript,
    name: '@azure/storage-blob with Azurite',
    version: '12.34.0',
    workspace: 'js-pinned',
    command: pinned('storage-blob'),
    resource: STORAGE,
    modes: ['system', 'host-override'],
    usesAzurite: true,
  },
  {
    ...javascript,
    name: 'OpenTelemetry azureVmDetector',
    version: '0.31.0',
    workspace: 'js-pinned',
    command: pinned('opentelemetry'),
    modes: ['system'],
    detects: true,
  },
]
