/** The metadata of the chart that Artifact Hub reads. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { imagesIn, PUBLIC_REGISTRY } from '../../src/injection/injector/injection-settings.ts'
import { VERSION } from '../../src/lib/version.ts'

const read = async (file: string) => parse(await readFile(file, 'utf8'))
const chart = await read('charts/wimds/Chart.yaml')

test('the chart has the version and the licence of the package', async () => {
  const { license } = await read('package.json')
  expect(chart).toMatchObject({ version: VERSION, appVersion: VERSION })
  expect(chart.annotations).toMatchObject({
    'artifacthub.io/license': license,
    'artifacthub.io/prerelease': String(VERSION.startsWith('0.')),
  })
})

test('the chart lists its images, for the architectures of the release', async () => {
  const { jobs } = await read('.github/workflows/release.yml')
  const platforms = jobs.build.strategy.matrix.architecture.map((each: string) => `linux/${each}`)
  const cluster = `${PUBLIC_REGISTRY}/wimds-cluster:${VERSION}`
  const images = [...Object.values(imagesIn(PUBLIC_REGISTRY)), cluster]
  const listed = parse(chart.annotations['artifacthub.io/images'])
  expect(new Set(listed)).toEqual(
    new Set(images.map((image) => ({ name: image.replace(/^.*\/|:.*$/g, ''), image, platforms }))),
  )
})
