/** Every YAML on the pages is one kind of thing, and right as such. */
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { IdentitiesSchema } from '../../src/config/identities-file.ts'
import { CHART_VALUES, valueMistakes } from './chart-values.ts'
import { fieldsOf, objectMistakes, typeMistakes } from './kubernetes-fields.ts'
import { BLOCKS } from './pages.ts'

/** A part of kubeadm's configuration: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/ */
const Kubeadm = z.strictObject({
  apiServer: z.strictObject({
    extraArgs: z.array(
      z.strictObject({
        name: z.enum(['service-account-issuer', 'service-account-jwks-uri']),
        value: z.url({ protocol: /^https$/ }),
      }),
    ),
  }),
})

interface Kind {
  readonly is: (keys: readonly string[]) => boolean
  readonly mistakes: (value: unknown, text: string) => readonly string[]
}

const among = (names: readonly string[]) => (keys: readonly string[]) =>
  keys.every((key) => names.includes(key))

const KINDS: Readonly<Record<string, Kind>> = {
  object: { is: (keys) => keys.includes('kind'), mistakes: objectMistakes },
  'part of a pod': {
    is: among(fieldsOf('V1PodSpec')),
    mistakes: (value) => typeMistakes(value, 'V1PodSpec', 'spec'),
  },
  'part of a container': {
    is: among(fieldsOf('V1Container')),
    mistakes: (value) => typeMistakes(value, 'V1Container', 'container'),
  },
  'identities file': {
    is: among(['identities']),
    mistakes: (value) => {
      const { error } = IdentitiesSchema.safeParse(value)
      return error === undefined ? [] : [z.prettifyError(error)]
    },
  },
  'part of a kubeadm configuration': {
    is: among(['apiServer']),
    mistakes: (value) => {
      const { error } = Kubeadm.safeParse(value)
      return error === undefined ? [] : [z.prettifyError(error)]
    },
  },
  'values of the chart': { is: among(CHART_VALUES), mistakes: valueMistakes },
}

const keysOf = (value: unknown) => Object.keys(z.record(z.string(), z.unknown()).parse(value))

const kindsOf = (value: unknown) =>
  Object.entries(KINDS)
    .filter(([, { is }]) => is(keysOf(value)))
    .map(([name]) => name)

const DOCUMENTS = BLOCKS.filter(({ language }) => language === 'yaml').flatMap(({ place, text }) =>
  parseAllDocuments(text).map((document) => ({ place, text, document })),
)

test('there are some', () => {
  expect(DOCUMENTS.length).toBeGreaterThan(3)
})

test.each(DOCUMENTS)('$place is one kind of thing, without a mistake', ({ document, text }) => {
  expect(document.errors).toEqual([])
  const value: unknown = document.toJS()
  const kinds = kindsOf(value)
  expect(kinds).toHaveLength(1)
  expect(kinds.flatMap((kind) => KINDS[kind]?.mistakes(value, text) ?? [])).toEqual([])
})

describe('a mistake is noticed in', () => {
  test.each([
    ['an object', 'apiVersion: v1\nkind: Pod\nspec: {container: []}', 'no field container'],
    ['its kind', 'apiVersion: v1\nkind: Deployment2\n', 'no kind'],
    ['a pod', 'volumes: [{projected: {sources: [{serviceAccountTokn: {}}]}}]', 'no field'],
    ['a container', 'env: [{name: A, value: 1}]', 'no string'],
    ['an identities file', 'identities: [{clientID: x}]', 'clientI'],
    ['a kubeadm configuration', 'apiServer: {extraArgs: [{name: issuer, value: x}]}', 'name'],
    ['values', 'injection: {mode: both}', '/injection/mode'],
  ])('%s', (_, text, mistake) => {
    const [document] = parseAllDocuments(text)
    const value: unknown = document?.toJS()
    const [kind = ''] = kindsOf(value)
    expect(KINDS[kind]?.mistakes(value, text).join('\n')).toContain(mistake)
  })
})
