import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { ERROR_KINDS } from '../../src/lib/errors.ts'
import { REF } from '../../src/lib/version.ts'
import {
  dashboardQueries,
  documentedQueries,
  EXAMPLES,
  exposedSeries,
  knownNames,
  OTHER_SERIES,
  namesIn,
  rules,
} from './queries.ts'

describe('every query', () => {
  test.each([
    ['the rules', async () => (await rules()).map(({ expr }) => expr)],
    ['the dashboard', dashboardQueries],
    ['the page', documentedQueries],
  ])('of %s uses names that exist', async (_, read) => {
    const known = await knownNames()
    const queries = await read()
    expect(queries.length).toBeGreaterThan(5)
    expect(queries.flatMap(namesIn).filter((name) => !known.has(name))).toEqual([])
  })

  test('uses labels of its metric, or labels that the broker or a scrape adds', async () => {
    const added = new Set([
      'cluster',
      'namespace',
      'pod',
      'workload',
      'container',
      'le',
      'service_account',
    ])
    const exposed = new Map([...(await exposedSeries()), ...OTHER_SERIES])
    const recorded = new Set((await rules()).flatMap(({ record }) => record ?? []))
    const queries = [
      ...(await rules()).map(({ expr }) => expr),
      ...(await dashboardQueries()),
      ...(await documentedQueries()),
    ]
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

describe('the rules', () => {
  test('keep clusters apart in every aggregation and join, since one Prometheus may have many clusters', async () => {
    const exprs = (await rules()).map(({ expr }) => expr).join('\n')
    const groupings = [...exprs.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].map(
      ([, labels = '']) => labels,
    )
    expect(groupings.length).toBeGreaterThan(20)
    expect(groupings.filter((labels) => !labels.split(', ').includes('cluster'))).toEqual([])
    expect(exprs).not.toMatch(
      /absent|\b(?:ignoring|without) \(|\b(?:sum|max|min|avg|count|group) ?\((?!by)/,
    )
  })

  test('count failures of a fleet by the codes of connectivity, and by no code that concerns one workload', async () => {
    const { expr = '' } =
      (await rules()).find(({ record }) => record === 'wimds:sidecars_failing:count') ?? {}
    const [, pattern = ''] = /code=~"([^"]+)"/.exec(expr) ?? []
    const codes = Object.entries(ERROR_KINDS)
    const counted = codes.filter(([code]) => new RegExp(`^(?:${pattern})$`, 'u').test(code))
    const temporary = codes.filter(
      ([code, { permanent }]) => /^(?:entra|issuer)_/.test(code) && !permanent,
    )
    expect(temporary.length).toBeGreaterThan(5)
    expect(counted).toEqual(temporary)
    // The dashboard shows the same number as the alert.
    const shown = (await dashboardQueries()).filter((query) => query.includes('>= bool 3'))
    expect(shown).toEqual([expect.stringContaining(`code=~"${pattern}"`)])
  })

  test('tell failures from invalid requests by one pattern, which has every other code', async () => {
    const ofRules = (await rules()).map(({ expr }) => expr)
    const exprs = [...ofRules, ...(await dashboardQueries())].join('\n')
    const patterns = [...exprs.matchAll(/code([=!]~)"([^"]*_failed[^"]*)"/g)]
    const failed = patterns.flatMap(([, operator, text = '']) => (operator === '=~' ? text : []))
    const [pattern = ''] = failed
    expect(failed.length).toBeGreaterThan(4)
    expect(new Set(failed)).toEqual(new Set([pattern]))
    const probes = 'metadata_header_missing|api_version_invalid|resource_missing'
    // The rules have the share, and the dashboard has the pods.
    const others = patterns.flatMap(([, operator, text]) => (operator === '!~' ? text : []))
    expect(new Set(others)).toEqual(new Set([`ok|${probes}|${pattern}`]))
    const codes = Object.keys(ERROR_KINDS)
    // The caller names the resource. The application and the tenant are usually from the configuration.
    expect(codes.filter((code) => new RegExp(`^(?:${pattern})$`, 'u').test(code))).toEqual(
      codes.slice(codes.indexOf('overloaded')).filter((code) => code !== 'resource_refused'),
    )
    // No count of token requests includes probes.
    const rest = exprs.replaceAll(/code[=!]~"[^"]*_failed[^"]*"/g, '')
    expect(new Set(rest.match(/code!~"[^"]*"/g))).toEqual(new Set([`code!~"${probes}"`]))
  })

  test('have a section in docs/runbooks.md for every alert, to which runbook_url leads', async () => {
    const [, ...sections] = (await readFile('docs/runbooks.md', 'utf8')).split('\n### ')
    const alerts = (await rules()).filter(({ alert }) => alert !== undefined)
    expect(sections.map((section) => section.split('\n')[0])).toEqual(
      alerts.map(({ alert }) => alert),
    )
    expect(alerts.length).toBeGreaterThan(20)
    for (const { annotations, labels } of alerts) {
      expect(labels?.['severity']).toMatch(/^(?:critical|warning)$/)
      expect(annotations).toMatchObject({
        summary: expect.any(String),
        description: expect.any(String),
      })
    }
    expect(alerts.map(({ annotations }) => annotations?.['runbook_url'])).toEqual(
      alerts.map(
        ({ alert = '' }) =>
          `https://wimds.github.io/wimds/${REF}/runbooks.html#${alert.toLowerCase()}`,
      ),
    )
    const parts = ['**Fires** ', '**What to do**']
    expect(sections.filter((section) => !parts.every((part) => section.includes(part)))).toEqual([])
  })
})

describe('the scrape configurations', () => {
  test('select the port name of the injected sidecar', async () => {
    const containers = await readFile('src/injection/injector/containers.ts', 'utf8')
    const [, port = ''] = /ports: \[\{ name: '([\w-]+)'/.exec(containers) ?? []
    const [monitor] = parseAllDocuments(await readFile(`${EXAMPLES}/podmonitor.yaml`, 'utf8'))
    expect(monitor?.toJS()).toMatchObject({
      spec: { podMetricsEndpoints: [{ port, path: '/metrics' }] },
    })
    const plain = parse(await readFile(`${EXAMPLES}/prometheus.yaml`, 'utf8'))
    expect(JSON.stringify(plain)).toContain(`"regex":"${port}"`)
  })
})
