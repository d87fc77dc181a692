import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { METRICS } from '../../src/telemetry/metric-catalogue.ts'
import { dashboard, dashboardQueries, EXAMPLES, knownNames, namesIn, rules } from './queries.ts'

const labelsOf = (name: string): readonly string[] =>
  Object.entries(METRICS).find(([metric]) => metric === name)?.[1].labels ?? []

describe('every query', () => {
  test('of a rule names what exists', async () => {
    const known = await knownNames()
    const unknown = (await rules()).flatMap(({ expr }) =>
      namesIn(expr).filter((name) => !known.has(name)),
    )
    expect(unknown).toEqual([])
  })

  test('of the dashboard names what exists, and names something', async () => {
    const known = await knownNames()
    const queries = await dashboardQueries()
    expect(queries.length).toBeGreaterThan(15)
    expect(queries.filter((query) => namesIn(query).length === 0)).toEqual([])
    expect(queries.flatMap(namesIn).filter((name) => !known.has(name))).toEqual([])
  })

  test('uses labels that its metric has, or that a scrape adds', async () => {
    const added = new Set(['namespace', 'pod', 'workload', 'container', 'le'])
    const recorded = new Set((await rules()).flatMap(({ record }) => record ?? []))
    const queries = [...(await rules()).map(({ expr }) => expr), ...(await dashboardQueries())]
    const selectors = [...queries.join('\n').matchAll(/([\w:]+)\{([^}]*)\}/g)]
    const wrong = selectors.flatMap(([, name = '', selector = '']) => {
      if (recorded.has(name)) return []
      const labels = labelsOf(name.replace(/_(?:bucket|count|sum)$/, ''))
      return [...selector.matchAll(/(\w+)\s*[=!]/g)]
        .map(([, label = '']) => label)
        .filter((label) => !labels.includes(label) && !added.has(label))
        .map((label) => `${name}: ${label}`)
    })
    expect(selectors.length).toBeGreaterThan(15)
    expect(wrong).toEqual([])
  })
})

describe('the dashboard', () => {
  test('overlaps nowhere and is as wide as Grafana', async () => {
    const { panels } = await dashboard()
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24)
      return Array.from(
        { length: w * h },
        (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`,
      )
    })
    expect(new Set(cells).size).toBe(cells.length)
  })

  test('gives every panel a title of its own', async () => {
    const titles = (await dashboard()).panels.map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })

  test('declares the variables that its queries use', async () => {
    const { templating } = await dashboard()
    const text = await readFile(`${EXAMPLES}/dashboard.json`, 'utf8')
    const used = new Set([...text.matchAll(/\$\{?([a-z]+)\}?/g)].map(([, name]) => name))
    expect(templating.list.map(({ name }) => name)).toEqual(expect.arrayContaining([...used]))
  })
})

describe('the rules', () => {
  test('have a severity, a summary and a description in every alert', async () => {
    const { groups } = parse(await readFile(`${EXAMPLES}/rules.yaml`, 'utf8'))
    const alerts = groups.flatMap(({ rules: all }: { rules: { alert?: string }[] }) =>
      all.filter(({ alert }) => alert !== undefined),
    )
    expect(alerts.length).toBeGreaterThan(8)
    for (const alert of alerts) {
      expect(alert).toMatchObject({
        labels: { severity: expect.stringMatching(/^(?:critical|warning)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      })
    }
  })
})

describe('the scrape configurations', () => {
  test('look for the port that the injected sidecar has', async () => {
    const containers = await readFile('src/kubernetes/containers.ts', 'utf8')
    const [, port = ''] = /ports: \[\{ name: '([\w-]+)'/.exec(containers) ?? []
    const [monitor] = parseAllDocuments(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
    expect(monitor?.toJS()).toMatchObject({
      spec: { podMetricsEndpoints: [{ port, path: '/metrics' }] },
    })
    const plain = parse(await readFile(`${EXAMPLES}/prometheus.yaml`, 'utf8'))
    expect(JSON.stringify(plain)).toContain(`"regex":"${port}"`)
  })
})
