import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import {
  dashboard,
  dashboardQueries,
  EXAMPLES,
  exposedSeries,
  knownNames,
  namesIn,
  rules,
} from './queries.ts'

describe('every query', () => {
  test('of a rule uses names that exist', async () => {
    const known = await knownNames()
    const unknown = (await rules()).flatMap(({ expr }) =>
      namesIn(expr).filter((name) => !known.has(name)),
    )
    expect(unknown).toEqual([])
  })

  test('of the dashboard uses names that exist', async () => {
    const known = await knownNames()
    const queries = await dashboardQueries()
    expect(queries.length).toBeGreaterThan(15)
    expect(queries.filter((query) => namesIn(query).length === 0)).toEqual([])
    expect(queries.flatMap(namesIn).filter((name) => !known.has(name))).toEqual([])
  })

  test('uses labels of its metric, or labels that a scrape adds', async () => {
    const added = new Set(['namespace', 'pod', 'workload', 'container', 'le'])
    const exposed = await exposedSeries()
    const recorded = new Set((await rules()).flatMap(({ record }) => record ?? []))
    const queries = [...(await rules()).map(({ expr }) => expr), ...(await dashboardQueries())]
    const selectors = [...queries.join('\n').matchAll(/([\w:]+)\{([^}]*)\}/g)]
    const wrong = selectors.flatMap(([, name = '', selector = '']) => {
      if (recorded.has(name)) return []
      const labels = exposed.get(name) ?? []
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
  test('has no overlapping panels and fits the grid', async () => {
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

  test('has a unique title for every panel', async () => {
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
  test('select the port name of the injected sidecar', async () => {
    const containers = await readFile('src/kubernetes/injector/containers.ts', 'utf8')
    const [, port = ''] = /ports: \[\{ name: '([\w-]+)'/.exec(containers) ?? []
    const [monitor] = parseAllDocuments(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
    expect(monitor?.toJS()).toMatchObject({
      spec: { podMetricsEndpoints: [{ port, path: '/metrics' }] },
    })
    const plain = parse(await readFile(`${EXAMPLES}/prometheus.yaml`, 'utf8'))
    expect(JSON.stringify(plain)).toContain(`"regex":"${port}"`)
  })
})
