import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { documentedQueries, EXAMPLES, RULES } from '../observability/queries.ts'
import { hasPrometheus, promtool } from './tools.ts'
import { createFolder } from '../fixtures/folder.ts'

describe.skipIf(!hasPrometheus())('promtool', () => {
  test('accepts the rules, and their tests pass', async () => {
    expect(await promtool(['check', 'rules', RULES])).toMatchObject({
      isOk: true,
    })
    expect(await promtool(['test', 'rules', `${EXAMPLES}/rules.test.yaml`])).toMatchObject({
      isOk: true,
    })
  })

  test('parses every query of the page', async () => {
    const queries = await documentedQueries()
    const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }))
    using directory = createFolder()
    const file = directory.write('rules.yaml', stringify({ groups: [{ name: 'page', rules }] }))
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
    using directory = createFolder()
    const file = directory.write('prometheus.yaml', stringify(config))
    directory.write('rules.yaml', await readFile(RULES, 'utf8'))
    expect(await promtool(['check', 'config', file])).toMatchObject({ isOk: true })
  })
})
