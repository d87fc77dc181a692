/** Every PromQL query that the examples hold, and the names in them. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { METRICS } from '../../src/telemetry/metric-catalogue.ts'

export const EXAMPLES = 'examples/observability'

const Rules = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          record: z.string().optional(),
          alert: z.string().optional(),
          expr: z.string(),
          for: z.string().optional(),
        }),
      ),
    }),
  ),
})

const Dashboard = z.object({
  title: z.string(),
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
  templating: z.object({ list: z.array(z.looseObject({ name: z.string() })) }),
})

export async function rules() {
  const { groups } = Rules.parse(parse(await readFile(`${EXAMPLES}/rules.yaml`, 'utf8')))
  return groups.flatMap((group) => group.rules)
}

export async function dashboard() {
  return Dashboard.parse(JSON.parse(await readFile(`${EXAMPLES}/dashboard.json`, 'utf8')))
}

/** The queries of the dashboard, with Grafana's variables as Grafana would fill them in. */
export async function dashboardQueries(): Promise<string[]> {
  const { panels } = await dashboard()
  return panels
    .flatMap(({ targets }) => targets)
    .map(({ expr }) =>
      expr
        .replaceAll('$__rate_interval', '1m')
        .replaceAll('$__range', '6h')
        .replaceAll(/\$(?:namespace|pod)\b/g, '.*'),
    )
}

/** Names of metrics and recorded series in a query: what has one of our prefixes. */
export function namesIn(query: string): string[] {
  const withoutStrings = query.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
  return [...withoutStrings.matchAll(/\b(?:wimds|process|nodejs)[_:][\w:]*/g)].map(([name]) => name)
}

/** Everything that a query may name: the catalogue, with a histogram's series, and what is recorded. */
export async function knownNames(): Promise<Set<string>> {
  const metrics = Object.entries(METRICS).flatMap(([name, { type }]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  )
  const recorded = (await rules()).flatMap(({ record }) => record ?? [])
  return new Set([...metrics, ...recorded])
}
