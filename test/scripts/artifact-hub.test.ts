/** What Artifact Hub reads of the chart, by its documentation: it does not list a version with an invalid annotation. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { imagesIn, PUBLIC_REGISTRY } from '../../src/injection/injector/injection-settings.ts'
import { VERSION } from '../../src/lib/version.ts'

const read = async (file: string): Promise<unknown> => parse(await readFile(file, 'utf8'))
const boolean = z.enum(['true', 'false'])
/** An annotation whose value is YAML. */
const yaml = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => parse(text))
    .pipe(schema)

const Chart = z.object({
  name: z.string(),
  version: z.string(),
  appVersion: z.string(),
  description: z.string(),
  home: z.url(),
  icon: z.url(),
  annotations: z.strictObject({
    'artifacthub.io/category': z.literal('security'),
    'artifacthub.io/license': z.string(),
    'artifacthub.io/prerelease': boolean,
    'artifacthub.io/operator': boolean,
    'artifacthub.io/images': yaml(
      z.array(
        z.strictObject({ name: z.string(), image: z.string(), platforms: z.array(z.string()) }),
      ),
    ),
    'artifacthub.io/changes': yaml(
      z.array(
        z.strictObject({
          kind: z.enum(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security']),
          description: z.string(),
        }),
      ),
    ),
    'artifacthub.io/links': yaml(z.array(z.strictObject({ name: z.string(), url: z.url() }))),
  }),
})

const chart = Chart.parse(await read('charts/wimds/Chart.yaml'))
const { annotations } = chart

test('the chart has the version and the licence of the package', async () => {
  const { license } = z.object({ license: z.string() }).parse(await read('package.json'))
  expect([chart.version, chart.appVersion]).toEqual([VERSION, VERSION])
  expect(annotations['artifacthub.io/license']).toBe(license)
  expect(annotations['artifacthub.io/prerelease']).toBe(String(VERSION.startsWith('0.')))
})

test('the chart lists its images, for the architectures of the release', async () => {
  const release = z
    .object({
      jobs: z.object({
        build: z.object({
          strategy: z.object({ matrix: z.object({ architecture: z.array(z.string()) }) }),
        }),
      }),
    })
    .parse(await read('.github/workflows/release.yml'))
  const { architecture } = release.jobs.build.strategy.matrix
  const platforms = architecture.map((each) => `linux/${each}`)
  const images = [
    ...Object.values(imagesIn(PUBLIC_REGISTRY)),
    `${PUBLIC_REGISTRY}/wimds-cluster:${VERSION}`,
  ]
  expect(
    annotations['artifacthub.io/images'].toSorted((a, b) => a.image.localeCompare(b.image)),
  ).toEqual(
    images
      .toSorted((a, b) => a.localeCompare(b))
      .map((image) => ({ name: image.replace(/^.*\/|:.*$/g, ''), image, platforms })),
  )
})

test('the changes of the chart are of the changelog of its version', async () => {
  const changelog = await readFile('CHANGELOG.md', 'utf8')
  const sections = changelog.split(/^## /m)
  const section =
    sections.find((text) => text.startsWith(`${VERSION},`)) ??
    sections.find((text) => text.startsWith('Unreleased\n')) ??
    ''
  for (const { kind, description } of annotations['artifacthub.io/changes']) {
    expect(section.toLowerCase()).toContain(`\n### ${kind}\n`)
    expect(section.replaceAll(/\s+/g, ' ')).toContain(description)
  }
})

test('the metadata of the repository has the fields that Artifact Hub knows', async () => {
  const Repository = z.strictObject({
    repositoryID: z.uuid().optional(),
    owners: z.array(z.strictObject({ name: z.string(), email: z.email() })),
  })
  expect(Repository.safeParse(await read('charts/artifacthub-repo.yml')).error).toBeUndefined()
})
