/** A label selector of Kubernetes. */
import * as z from 'zod/mini'

export const Selector = z.object({
  matchLabels: z.optional(z.record(z.string(), z.string())),
  matchExpressions: z.optional(
    z.array(
      z.object({ key: z.string(), operator: z.string(), values: z.optional(z.array(z.string())) }),
    ),
  ),
})

/** Formats the selector for kubectl; an empty text selects everything. */
export function formatSelector({
  matchLabels = {},
  matchExpressions = [],
}: z.infer<typeof Selector>): string {
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator.toLowerCase()} (${values.join(',')})`
  })
  return [...Object.entries(matchLabels).map((pair) => pair.join('=')), ...expressions].join(',')
}
