/** The notes that Helm prints after an installation, and the settings that the chart's README suggests. */
import { cp, readFile, rename, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { z } from 'zod'
import { CHART, HELMS, RELEASE } from './helm.ts'
import { createFolder } from '../fixtures/folder.ts'

const NAMESPACE = 'wimds-system'
const WithNotes = z.object({ data: z.object({ notes: z.string() }) })

describe.each(HELMS)('Helm $version', ({ run }) => {
  /** Renders the notes as an object, since `helm template` leaves them out and an installation needs a cluster. */
  async function renderNotes(...flags: readonly string[]): Promise<string> {
    using directory = createFolder()
    await cp(CHART, directory.path, { recursive: true })
    const { file: inChart } = directory
    await rename(inChart('templates/NOTES.txt'), inChart('files/NOTES.txt'))
    await writeFile(
      inChart('templates/notes.yaml'),
      'data: {notes: {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}}\n',
    )
    const output = await run(
      'template',
      RELEASE,
      directory.path,
      `--namespace=${NAMESPACE}`,
      '--kube-version=1.34.0',
      '--show-only=templates/notes.yaml',
      ...flags,
    )
    const [document] = parseAllDocuments(output)
    return WithNotes.parse(document?.toJS()).data.notes
  }

  test('the notes have commands with the names of the release', async () => {
    const notes = await renderNotes('--set=injection.tenantId=contoso.com')
    expect(notes).toContain(`kubectl rollout status deployment/wimds --namespace ${NAMESPACE}\n`)
    expect(notes).toContain(`helm test wimds --namespace ${NAMESPACE}\n`)
    expect(notes).toContain('azure.workload.identity/tenant-id=contoso.com')
    expect(notes).not.toMatch(/daemonset|WARNING|NOTE:|podMonitor|\n\n\n/)
  })

  test('the notes offer metrics where the Prometheus operator is, until they are enabled', async () => {
    const operator = '--api-versions=monitoring.coreos.com/v1/PodMonitor'
    expect(await renderNotes(operator)).toContain('--set podMonitor.enabled=true')
    const managed = '--api-versions=azmonitoring.coreos.com/v1/PodMonitor'
    expect(await renderNotes(managed)).toContain(
      '--set podMonitor.enabled=true --set podMonitor.apiVersion=azmonitoring.coreos.com/v1',
    )
    const enabled = await renderNotes(operator, '--set=podMonitor.enabled=true')
    expect(enabled).not.toContain('podMonitor.enabled')
  })

  test('the notes say when Prometheus cannot scrape the node agent', async () => {
    const flags = [
      '--set=nodeAgent.enabled=true,podMonitor.enabled=true',
      '--set-json=nodeAgent.scrapers=[{"podSelector":{}}]',
    ]
    const notes = await renderNotes(...flags, '--set=nodeAgent.adminListen=127.0.0.1:9441')
    expect(notes).toContain(
      'rollout status daemonset/wimds-node-agent --namespace wimds-node-agent',
    )
    expect(notes).toContain('Prometheus does not scrape the node agent, which listens on 127.0')
    const reachable = await renderNotes(...flags)
    expect(reachable).not.toContain('does not scrape')
  })

  test('the notes name no webhook where policies inject', async () => {
    const notes = await renderNotes(
      '--set=injection.by=policy,injection.mode=node,nodeAgent.enabled=true',
      '--kube-version=1.36.0',
    )
    expect(notes).not.toMatch(/webhook|deployment\/|WARNING/)
    expect(notes).toContain('works:\n\n  kubectl rollout status daemonset/wimds-node-agent')
  })

  test('the notes warn of pods that start without the sidecar, and of a single replica', async () => {
    const notes = await renderNotes('--set=webhook.failurePolicy=Ignore,replicaCount=1')
    expect(notes.match(/^WARNING: /gm)).toHaveLength(2)
  })

  test('accepts the common settings of the README', async () => {
    const page = await readFile(`${CHART}/README.md`, 'utf8')
    const [, section = ''] = page.split('\n## Common settings\n')
    const [list = ''] = section.split('\n## ')
    const rows = list
      .split(/^- /m)
      .slice(1)
      .map((item) => [...item.matchAll(/`([^`]+: [^`]+)`/g)].map(([, text = '']) => parse(text)))
    expect(rows.length).toBeGreaterThan(8)
    for (const values of rows) {
      using directory = createFolder()
      const file = directory.write('values.yaml', stringify(Object.assign({}, ...values)))
      const flags = [`--values=${file}`, '--kube-version=1.34.0']
      const output = await run('template', RELEASE, CHART, ...flags)
      expect(output).toContain('kind: MutatingWebhookConfiguration')
    }
  })
})
