/** The Go clients. */
import { type Client, createPair, IMDS_MODES } from './client.ts'

const program =
  (name: string): Client['command'] =>
  (workspace) => [`${workspace}/${name}`]

const current = { language: 'Go', workspace: 'go-current' } as const
const legacy = { language: 'Go', workspace: 'go-legacy' } as const

export const GO_CLIENTS: readonly Client[] = [
  ...createPair(
    {
      ...current,
      name: 'azidentity',
      version: '1.15.0',
      command: program('azidentity'),
      asksAgain: true,
    },
    [...IMDS_MODES, 'app-service-2019', 'app-service-2017', 'cloud-shell'],
    ['system', 'client-id', 'app-service-2019'],
  ),
  ...createPair(
    {
      ...legacy,
      name: 'azidentity',
      version: '1.1.0',
      command: program('azidentity'),
      asksAgain: true,
    },
    ['system', 'client-id', 'resource-id', 'app-service-2019', 'cloud-shell'],
    ['system', 'client-id', 'app-service-2019'],
  ),
  {
    ...current,
    name: 'microsoft-authentication-library-for-go',
    version: '1.10.1',
    command: program('msal'),
    asksAgain: true,
    modes: [...IMDS_MODES, 'app-service-2019', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...current,
    name: 'go-autorest/adal',
    version: '0.9.24',
    command: program('adal'),
    modes: ['system', 'client-id', 'resource-id', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...current,
    name: 'hashicorp/go-azure-sdk (Terraform)',
    version: '0.20260811',
    command: program('go-azure-sdk'),
    resource: 'https://management.azure.com',
    hostOption: 'msi_endpoint',
    modes: ['system', 'client-id', 'host-override'],
  },
  {
    ...current,
    name: "net/http, as in Microsoft's documentation",
    version: '',
    command: program('docs-sample'),
    modes: ['system'],
  },
  {
    ...current,
    name: 'VictoriaMetrics azure_sd_configs',
    version: '1.151.0',
    command: program('victoriametrics'),
    resource: 'https://management.azure.com',
    modes: ['system', 'client-id', 'app-service-2017', 'cloud-shell'],
  },
  {
    // Prometheus from 2.48 to 3.0 sends client_id= when no client id is configured.
    language: 'Go',
    workspace: 'go-prometheus',
    name: 'Prometheus azure_sd_configs',
    version: '3.0.1',
    command: program('prometheus'),
    resource: 'https://management.core.windows.net/',
    modes: ['system', 'client-id', 'app-service-2019', 'cloud-shell'],
  },
  {
    ...current,
    name: 'OpenTelemetry azurevm.ResourceDetector',
    version: '0.19.0',
    command: program('opentelemetry'),
    modes: ['system'],
    detects: true,
  },
]
