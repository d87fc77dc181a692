/** Values of the chart, whose effects are in golden/values-*.txt, and values that it rejects. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { SET_BY_INJECTION } from '../../src/injection/injector/injection-settings.ts'
import { CHART, type Values } from './helm.ts'

const AGENT = '--set=nodeAgent.enabled=true'
const SCRAPER = '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]'
/** Values with a policy in place of the webhook. */
export const POLICY = [
  '--set=injection.by=policy,injection.mode=node,nodeAgent.enabled=true',
  '--kube-version=1.36.0',
]
const Schema = z.object({
  properties: z.object({
    prometheusRule: z.object({
      properties: z.object({
        alerts: z.object({
          patternProperties: z.record(z.string(), z.object({ properties: z.looseObject({}) })),
        }),
      }),
    }),
  }),
})
const { prometheusRule } = Schema.parse(
  JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')),
).properties
/** A threshold for each alert that has one. */
const THRESHOLDS = Object.fromEntries(
  Object.entries(prometheusRule.properties.alerts.patternProperties)
    .filter(([, { properties }]) => 'threshold' in properties)
    .flatMap(([pattern]) => pattern.replaceAll(/[$()^]/g, '').split('|'))
    .map((name) => [name, { threshold: 1_234_567 }]),
)
const OPERATOR = (group: string) => [`--api-versions=${group}/v1/PodMonitor`]

/** The values that all of a group have, and by title the values whose effects are recorded. */
export type Group = readonly [readonly Values[], Readonly<Record<string, readonly Values[]>>]

const injection = (values: object): Values[] => [{ injection: values }]

export const WEBHOOK: Group = [
  [],
  {
    'the settings of the injection': injection({
      uid: 1_000_680_000,
      tenantId: '1111aAbB-1111-4111-8111-111111111111',
      resources: { cpuLimit: 1, cpuRequest: 0.05, memoryLimit: 134_217_728 },
      // In arguments, Kubernetes turns $$ into $ and expands $(NAME).
      env: { B: 'a$$b$(C)', C: '12345678' },
      allowedModes: ['env', 'loopback'],
      ca: { configMap: 'ca/bundle.pem' },
      allowPassThrough: true,
      alwaysSetNoProxy: true,
    }),
    'other settings of the injection': injection({
      uid: 'none',
      ca: { secret: 'ca' },
      allowedModes: ['loopback'],
    }),
    'the settings of the webhook': [
      { webhook: { port: 8443, adminPort: 9000 }, networkPolicy: { ingress: [{ from: [] }] } },
    ],
    'a longer drain': [{ drain: '1.5m' }],
    'a short drain': [{ drain: '100ms' }],
    'one replica, without which pods start without the sidecar': [
      { replicaCount: 1, webhook: { failurePolicy: 'Ignore' } },
    ],
    'the network of the node': [{ hostNetwork: true, webhook: { port: 10_260 } }],
    'a certificate of cert-manager, and a client CA': [
      {
        certificates: { source: 'cert-manager', issuerRef: { name: 'ca' } },
        webhook: {
          clientCaSecret: 'api-server-ca',
          annotations: { 'cert-manager.io/inject-ca-from': 'other/other', note: 'mine' },
        },
      },
    ],
    'a namespaceSelector': [
      { webhook: { namespaceSelector: [{ key: 'team', operator: 'In', values: ['shop'] }] } },
    ],
    'no excluded namespaces': [{ webhook: { excludedNamespaces: [] } }],
    'its own namespace among the excluded': [{ webhook: { excludedNamespaces: ['wimds'] } }],
    'no FlowSchema, NetworkPolicy and admission policy': [
      ['flowSchema', 'networkPolicy', 'admissionPolicy'].map(
        (name) => `--set=${name}.enabled=false`,
      ),
    ],
    'labels of pods, and a strategy': [
      {
        podLabels: { 'app.kubernetes.io/version': 'mine', team: 'shop' },
        strategy: { rollingUpdate: { maxSurge: 0 } },
      },
    ],
    'metrics for the Prometheus operator': [OPERATOR('monitoring.coreos.com')],
    'metrics for Azure Monitor': [OPERATOR('azmonitoring.coreos.com')],
  },
]

export const NODE_AGENT: Group = [
  [[AGENT]],
  {
    'the images of a registry, and of others': [
      {
        global: { imageRegistry: 'r.example:5000/a' },
        gateImage: { repository: 'other.example/gate' },
        image: { tag: 'next' },
      },
    ],
    'the variables and the CA of sidecars': injection({
      ca: { configMap: 'corporate/bundle.pem' },
      env: { HTTPS_PROXY: 'http://a$(B)', WIMDS_LOG_LEVEL: 'debug', OTHER: 'x' },
    }),
    'a CA of a Secret': injection({ ca: { secret: 'corporate' } }),
    'Kubernetes 1.35, where each kubelet admits small buffers': [['--kube-version=1.35.0']],
    'the namespace, directories and pod of the node agent': [
      {
        nodeAgent: {
          namespace: 'agents',
          kubeletDirectory: '/var/lib/k0s/kubelet',
          containerdDirectory: '/run/k0s/containerd',
          seLinuxOptions: { type: 'spc_t' },
          tolerations: [{ operator: 'Exists' }],
          extraEnv: [{ name: 'A', value: 'b' }],
        },
      },
    ],
    'no check before an uninstall': [['--set=nodeAgent.uninstallCheck=false']],
    'metrics, for which Prometheus reaches a port': [
      ['--set=podMonitor.enabled=true'],
      { nodeAgent: { scrapers: [{ ipBlock: { cidr: '10.0.0.0/8' } }] } },
    ],
    'another port of loopback': [['--set=nodeAgent.adminListen=[::1]:9449']],
    'metrics that Prometheus cannot scrape': [
      [SCRAPER, '--set=podMonitor.enabled=true,nodeAgent.adminListen=127.0.0.1:9441'],
    ],
    'no NetworkPolicy': [['--set=networkPolicy.enabled=false']],
  },
]

export const PROMETHEUS: Group = [
  [
    [
      AGENT,
      SCRAPER,
      '--set=podMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true',
    ],
    OPERATOR('monitoring.coreos.com'),
  ],
  {
    'another threshold of each alert': [{ prometheusRule: { alerts: THRESHOLDS } }],
    'a dashboard in another namespace': [
      { dashboard: { namespace: 'monitoring', annotations: { grafana_folder: 'wimds' } } },
    ],
    'no monitor of sidecars': [['--set=podMonitor.sidecars=false']],
    'Azure Monitor’s managed Prometheus': [
      ['--set=podMonitor.apiVersion=azmonitoring.coreos.com/v1'],
    ],
    'labels and relabelings of monitors': [
      {
        podMonitor: {
          labels: { release: 'prometheus' },
          relabelings: [{ targetLabel: 'cluster', replacement: 'west' }],
          metricRelabelings: [{ sourceLabels: ['__name__'], regex: 'nodejs_.+', action: 'drop' }],
        },
      },
    ],
    'alerts that are disabled or changed': [
      {
        prometheusRule: {
          labels: { release: 'prometheus' },
          disabled: { WimdsEntraSlow: true, WimdsNodeAgentSlow: true, WimdsDown: false },
          alerts: {
            WimdsNotReady: { for: '1h30m', keepFiringFor: '10m', severity: 'page' },
            WimdsRestarting: { threshold: 0 },
          },
        },
      },
    ],
  },
]

export const BY_POLICY: Group = [
  [POLICY],
  {
    'the default tenant': injection({ tenantId: 'contoso.com' }),
    'the uid of the cluster': injection({ uid: 'none' }),
    'more CPU': injection({ resources: { cpuRequest: 0.2 } }),
    limits: injection({ resources: { cpuLimit: 1, memoryLimit: '1Gi' } }),
    'values that leave something out': [
      ['networkPolicy', 'flowSchema', 'admissionPolicy'].map(
        (name) => `--set=${name}.enabled=false`,
      ),
      ['--set=image.tag=v1,redirectImage.tag=v1,webhook.annotations=null'],
    ],
  },
]

/** Values that are rejected, as `--set` takes them, or flags. */
export const REJECTED: readonly string[] = [
  'injektion.mode=env',
  'injection.mode=iptables',
  'injection.allowedModes={env}',
  'injection.mode=node',
  'injection.tenantId=foo',
  'certificates.source=cert-manager,certificates.issuerRef.nam=ca',
  'fullnameOverride=1wimds',
  'nodeAgent.enabled=true,nodeAgent.namespace=kube-system',
  'certificates.source=secret',
  'certificates.source=secret,certificates.secretName=tls,certificates.caBundle=notb64',
  'injection.env.WIMDS_CA_FILE=/ca.crt,injection.ca.secret=ca',
  // `wimds inject` rejects these too.
  ...[...SET_BY_INJECTION.keys()].map((name) => `injection.env.${name}=x`),
  '--set-string=injection.uid=2147483648',
  'injection.resources.memoryRequest=1Gi,injection.resources.memoryLimit=1000M',
  'injection.resources.cpuRequest=1500m,injection.resources.cpuLimit=1',
  'injection.ca.configMap=a,injection.ca.secret=b',
  String.raw`podLabels.app\.kubernetes\.io/name=mine`,
  String.raw`podAnnotations.wimds\.io/inject=x`,
  String.raw`nodeAgent.enabled=true,nodeAgent.podLabels.app\.kubernetes\.io/name=mine`,
  String.raw`nodeAgent.enabled=true,nodeAgent.podAnnotations.wimds\.io/mode=env`,
  'hostNetwork=true',
  'webhook.port=9440',
  'drain=2h',
  'resources.limits.memory=abc',
  'prometheusRule.runbookUrl=abc',
  ...['', 'https://r.example', 'r.example/', 'r.example/Acme'].map(
    (name) => `global.imageRegistry=${name}`,
  ),
  'image.repository=Acme/wimds',
  'redirectImage.repository=r.example:5000/redirect:1',
  'image.tag=a b',
  ...[':1', 'a b:1', '999.1.1.1:1', '1.2.3:1', '::1:1', '[a.b]:1', '127.0.0.1:99999'].map(
    (address) => `nodeAgent.adminListen=${address}`,
  ),
  'nodeAgent.enabled=true,injection.env.WIMDS_CA_FILE=/var/ca.pem',
  'nodeAgent.enabled=true,podMonitor.enabled=true',
  'prometheusRule.enabled=true,prometheusRule.disabled.WimdsEntraSow=true',
  'prometheusRule.enabled=true,prometheusRule.alerts.WimdsDown.threshold=1',
]

/** Values that are rejected with a policy in place of the webhook. */
export const REJECTED_BY_POLICY: readonly string[] = [
  'nodeAgent.enabled=false',
  'injection.mode=env',
  'replicaCount=3,injection.allowPassThrough=true,webhook.annotations.team=shop,podLabels.team=shop',
  'injection.env.WIMDS_PREFETCH=$(A)',
  'injection.by=magic',
]
