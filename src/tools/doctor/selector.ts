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

type Selector = z.infer<typeof Selector>

/** Formats it for kubectl; empty: it selects everything. */
export function formatSelector({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator.toLowerCase()} (${values.join(',')})`
  })
  return [...Object.entries(matchLabels).map((pair) => pair.join('=')), ...expressions].join(',')
}

/** Returns whether it selects an object with these labels. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const isMet = ({ key, operator, values = [] }: (typeof matchExpressions)[number]) => {
    const value = labels[key]
    const isListed = value !== undefined && values.includes(value)
    if (operator === 'In') return isListed
    if (operator === 'NotIn') return !isListed
    return (value !== undefined) === (operator === 'Exists')
  }
  const hasLabels = Object.entries(matchLabels).every(([key, value]) => labels[key] === value)
  return hasLabels && matchExpressions.every(isMet)
}
