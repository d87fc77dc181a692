import { expect, test } from 'vitest'
import { StatusSchema } from '../../../src/broker/telemetry/status-schema.ts'

const many = <T>(value: T): readonly T[] => Array<T>(300_000).fill(value)

test.each([
  { tokens: many({}) },
  { warnings: many(0) },
  { problems: [{ summary: '', resources: many(0) }] },
  { assertions: [{ file: '', claims: { audience: many({}) } }] },
])('a document of 300 000 wrong elements has few problems', (document) => {
  const { error } = StatusSchema.safeParse(document)
  expect(error?.issues.length).toBeLessThan(30)
})
