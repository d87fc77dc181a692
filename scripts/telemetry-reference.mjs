// Writes docs/metrics.md from the help texts of the metrics, and docs/logs.md from the docstrings of the events. With --check writes
// nothing, and exits with 1 if a page is not current. Needs a Node that runs TypeScript: start it by `npm run docs:telemetry`.
import { readFile } from 'node:fs/promises'
import { createMetrics } from '../src/broker/telemetry/metrics.ts'
import { createWebhookMetrics } from '../src/injection/webhook/webhook-metrics.ts'
import { createNodeAgentMetrics, registerNodeState } from '../src/node/agent/agent-metrics.ts'
import { writePage } from './write-page.mjs'

const COMMAND = 'npm run docs:telemetry'
const OF_EVERY_PROCESS = /^(?:process|nodejs)_|_build_info$|^wimds_log_lines_dropped_total$/
const INTRODUCTIONS = {
  'every process': 'Of the sidecar, the webhook and the node agent:',
  'the sidecar':
    'Also the brokers of mode `node` write these, with `namespace` and `serviceAccount`.',
  'the node broker': 'A line of a broker also has `broker`, such as `of the namespace shop`.',
}

await writePage('docs/metrics.md', formatMetricsPage(), COMMAND)
await writePage('docs/logs.md', await formatLogsPage(), COMMAND)

function formatMetricsPage() {
  // The metrics are not collected, so their sources may be empty.
  const noLines = new Map()
  const sidecar = createMetrics({}, noLines).registry.getMetricsAsArray()
  const webhook = createWebhookMetrics(() => undefined, noLines).registry.getMetricsAsArray()
  const agent = createNodeAgentMetrics(noLines).registry
  registerNodeState(agent, {})
  const all = [...sidecar, ...webhook, ...agent.getMetricsAsArray()]
  const shared = new Map(all.map((metric) => [metric.name, metric]))
  return `# Metrics

<!-- Written by ${COMMAND} from the help texts of the metrics; edit those. -->

\`GET /metrics\` serves Prometheus's text format without authentication. It contains no secret. An unknown value is absent, not 0.
[Observability](../examples/observability/README.md) sets up scraping, alerts and the dashboard, and has
[queries](../examples/observability/README.md#queries).

## Metrics of the sidecar

Port 9169 (\`WIMDS_ADMIN_LISTEN\`).

${formatMetrics(sidecar)}

## Metrics of the webhook

Port 9440 (\`webhook.adminPort\`).

${formatMetrics(webhook)}

## Metrics of the node agent

Port 9441 (\`nodeAgent.adminListen\`), which [only Prometheus reaches](node-agent.md#metrics-and-probes). It also has the metrics of
the brokers: those of the sidecar, with the labels \`namespace\`, \`service_account\` and \`settings\`. The
[runbook](runbooks.md#wimdsnodeagentnotrouting) has a fix for each \`reason\`.

${formatMetrics(agent.getMetricsAsArray())}

## Metrics of every process

${formatMetrics([...shared.values()], true)}
`
}

function formatMetrics(metrics, ofEveryProcess = false) {
  return metrics
    .filter(({ name }) => OF_EVERY_PROCESS.test(name) === ofEveryProcess)
    .map(({ name, type, help, labelNames, upperBounds }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      const buckets = upperBounds && `buckets ${upperBounds.join(', ')}`
      return `- **\`${name}\`** (${[type, labels, buckets].filter(Boolean).join('; ')}): ${help}`
    })
    .join('\n')
}

async function formatLogsPage() {
  const source = await readFile(new URL('../src/service/events.ts', import.meta.url), 'utf8')
  const unions = source.matchAll(/\/\*\* Events of ([\w ]+)\. \*\/\ntype \w+ =\n((?: .+\n)+)/g)
  return `# Logs

<!-- Written by ${COMMAND} from src/service/events.ts; edit that. -->

wimds logs to standard output, one line of JSON per event. Every line has \`time\`, \`level\` and \`event\`. An error has a \`code\`, a
heading of [troubleshooting](troubleshooting.md), and a \`message\` with the fix; if Entra ID answered, also \`aadsts\`, \`entraTraceId\`
and \`entraCorrelationId\`, for Microsoft's support. No line contains a token, an assertion, a header, a query string or a body.
[Operations](operations.md#logs) has the commands that print the log, its levels, and its limits.

${[...unions].map(([, program, events]) => formatEvents(program, events)).join('\n')}`
}

function formatEvents(program, union) {
  const events = union.matchAll(/\/\*\*[\s*]+(.+?)\s+\*\/\n +\| '(\w+)'\n/gs)
  const items = [...events].map(
    ([, text, event]) => `- \`${event}\`: ${text.replaceAll(/\n +\* /g, ' ')}`,
  )
  return `## Events of ${program}

${INTRODUCTIONS[program] ?? ''}

${items.join('\n')}
`
}
