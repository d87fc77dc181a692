import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { dashboardQueries, documentedQueries, EXAMPLES, rules } from '../observability/queries.ts'
import { hasPrometheus, promtool, scratch } from './tools.ts'

describe.skipIf(!hasPrometheus())('promtool', () => {
  test('accepts the rules, and their tests pass', async () => {
    expect(await promtool(['check', 'rules', `${EXAMPLES}/rules.yaml`])).toMatchObject({
      isOk: true,
    })
    expect(await promtool(['test', 'rules', `${EXAMPLES}/rules.test.yaml`])).toMatchObject({
      isOk: true,
    })
  })

  test('fails a test without any single rule', async () => {
    const { tests, ...rest } = parse(await readFile(`${EXAMPLES}/rules.test.yaml`, 'utf8'))
    const untested: string[] = []
    for (const { alert, record } of await rules()) {
      const name = alert ?? record ?? ''
      // The others take seconds, and cannot be about it.
      const about = tests.filter((each: object) => stringify(each).includes(name))
      const { groups } = parse(await readFile(`${EXAMPLES}/rules.yaml`, 'utf8'))
      for (const group of groups) {
        group.rules = group.rules.filter(
          (rule: { alert?: string; record?: string }) =>
            rule.alert !== alert || rule.record !== record,
        )
      }
      await using directory = await scratch()
      await directory.write('rules.yaml', stringify({ groups }))
      const without = await directory.write('rules.test.yaml', stringify({ ...rest, tests: about }))
      const { isOk } = await promtool(['test', 'rules', without])
      if (isOk) untested.push(name)
    }
    expect(untested).toEqual([])
  })

  test.each([
    ['the dashboard', dashboardQueries],
    ['docs/metrics.md', documentedQueries],
  ])('parses every query of %s', async (_, read) => {
    const queries = await read()
    const recorded = queries.map((expr, index) => ({ record: `panel:${index}`, expr }))
    await using directory = await scratch()
    const file = await directory.write(
      'dashboard.yaml',
      stringify({ groups: [{ name: 'dashboard', rules: recorded }] }),
    )
    const { isOk, output } = await promtool(['check', 'rules', file])
    expect(output).toContain(`${queries.length} rules found`)
    expect(isOk).toBe(true)
  })

  test('accepts the scrape configuration', async () => {
    const config = parse(await readFile(`${EXAMPLES}/prometheus.yaml`, 'utf8'))
    for (const job of config.scrape_configs) {
      // Debian builds Prometheus without service discovery in Kubernetes; the rest is the same.
      expect(job.kubernetes_sd_configs).toEqual([{ role: 'pod' }])
      delete job.kubernetes_sd_configs
      job.static_configs = [{ targets: ['localhost:9169'] }]
    }
    await using directory = await scratch()
    const file = await directory.write('prometheus.yaml', stringify(config))
    await directory.write('rules.yaml', await readFile(`${EXAMPLES}/rules.yaml`, 'utf8'))
    expect(await promtool(['check', 'config', file])).toMatchObject({ isOk: true })
  })
})
