// Writes the parts of the chart's values.schema.json that name the alerts and the choices of the webhook's flags. With `--check`
// changes nothing, and exits with 1 if they would change.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { WEBHOOK } from '../src/injection/webhook/webhook-options.ts'
import { writePage } from './write-page.mjs'

const CHART = 'charts/wimds'
// The same pattern as in templates/prometheus-rule.yaml, which replaces its first match in an expression.
const THRESHOLD = / (>=|<=|>|<) (0\.[0-9]+|[1-9][0-9.]*)/

const { groups } = parse(readFileSync(`${CHART}/files/rules.yaml`, 'utf8'))
const alerts = groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert !== undefined)
const names = alerts.map(({ alert }) => alert)
const withThreshold = alerts.filter(({ expr }) => THRESHOLD.test(expr)).map(({ alert }) => alert)
const others = names.filter((name) => !withThreshold.includes(name))

const duration = { type: 'string', pattern: '^(0|([0-9]+(ms|[smhdwy]))+)$' }
const changes = {
  for: duration,
  keepFiringFor: duration,
  severity: { type: 'string', minLength: 1 },
}
const createChangesSchema = (properties) => ({
  type: 'object',
  additionalProperties: false,
  properties,
})
// For errors of `propertyNames`, Helm would report the place of another value.
const byName = (patternProperties) => ({
  type: 'object',
  additionalProperties: false,
  patternProperties,
})
const anyOf = (list) => `^(${list.join('|')})$`

const path = `${CHART}/values.schema.json`
const schema = JSON.parse(readFileSync(path, 'utf8'))
Object.assign(schema.properties.prometheusRule.properties, {
  disabled: byName({ [anyOf(names)]: { type: 'boolean' } }),
  alerts: byName({
    [anyOf(withThreshold)]: createChangesSchema({ ...changes, threshold: { type: 'number' } }),
    [anyOf(others)]: createChangesSchema(changes),
  }),
})

/** Returns the schema of a value that the chart passes as a flag. Undefined for any text. */
function createFlagSchema({ value, choices, isList }, defaultValue) {
  if (value === undefined) return { type: 'boolean' }
  if (choices === undefined) return undefined
  if (isList) return { type: 'array', minItems: 1, uniqueItems: true, items: { enum: choices } }
  return { enum: defaultValue === '' ? ['', ...choices] : choices }
}
const injection = schema.properties.injection.properties
const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'))
for (const [name, value] of Object.entries(values.injection)) {
  // The chart passes each value as the flag of its name.
  const flag = WEBHOOK.flags[name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)]
  if (flag === undefined || name === 'env') continue
  injection[name] = createFlagSchema(flag, value) ?? injection[name] ?? { type: 'string' }
}
await writePage(path, JSON.stringify(schema, null, 2), 'npm run docs:chart')
