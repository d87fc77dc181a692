/** The Java clients. */
import { type Client, createPair, IMDS_MODES } from './client.ts'

/**
 * Each sandbox numbers its processes from 1 and shares /tmp, so two JVMs want one file of performance
 * data. The warning of the second would go to stdout, before the line of the driver.
 */
const JVM_FLAGS = ['-XX:-UsePerfData', '-Xlog:disable', '-Xlog:all=warning:stderr'] as const

const java = {
  language: 'Java',
  command: (workspace: string) =>
    ['java', ...JVM_FLAGS, '-cp', `${workspace}/classes:${workspace}/lib/*`, 'Driver'] as const,
} as const

export const JAVA_CLIENTS: readonly Client[] = [
  ...createPair(
    {
      ...java,
      name: 'azure-identity',
      version: '1.18.2',
      workspace: 'java-current',
      asksAgain: true,
    },
    [...IMDS_MODES, 'host-override', 'app-service-2019', 'cloud-shell'],
    ['system', 'client-id', 'host-override', 'app-service-2019'],
  ),
  {
    ...java,
    name: 'msal4j ManagedIdentityApplication',
    version: '1.26.1',
    workspace: 'java-current',
    variant: 'msal4j',
    asksAgain: true,
    modes: [...IMDS_MODES, 'host-override', 'app-service-2019', 'cloud-shell'],
  },
  ...createPair(
    {
      ...java,
      name: 'azure-identity',
      version: '1.2.0',
      workspace: 'java-azure-identity-1.2',
      asksAgain: true,
    },
    ['system', 'client-id', 'app-service-2017'],
    ['system', 'client-id', 'app-service-2017'],
  ),
  {
    ...java,
    name: 'azure-client-authentication MSICredentials',
    version: '1.7.14',
    workspace: 'java-msi-credentials',
    modes: IMDS_MODES,
  },
  {
    ...java,
    name: 'azure-client-authentication MSICredentials on a port',
    version: '1.7.14',
    workspace: 'java-msi-credentials',
    variant: 'vm-extension',
    modes: ['vm-extension'],
  },
  {
    ...java,
    name: 'azure-client-authentication AppServiceMSICredentials',
    version: '1.7.14',
    workspace: 'java-msi-credentials',
    variant: 'app-service',
    modes: ['app-service-2017'],
  },
  {
    ...java,
    name: 'hadoop-azure MsiTokenProvider (ABFS)',
    version: '3.4.1',
    workspace: 'java-abfs',
    resource: 'https://storage.azure.com/',
    hostOption: 'fs.azure.account.oauth2.msi.endpoint',
    modes: ['system', 'client-id', 'host-override'],
  },
  {
    ...java,
    name: 'mssql-jdbc ActiveDirectoryManagedIdentity',
    version: '12.10.1',
    workspace: 'java-mssql',
    resource: 'https://database.windows.net/',
    modes: ['system', 'client-id', 'host-override'],
  },
  {
    ...java,
    name: 'OpenTelemetry AzureVmResourceProvider',
    version: '1.59.0-alpha',
    workspace: 'java-opentelemetry',
    modes: ['system'],
    detects: true,
  },
]
