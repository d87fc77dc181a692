/** Reads the events of Kubernetes that say why a pod is missing, or is not served. */
import * as z from 'zod/mini'
import { catchEnd, CheckEnd } from '../findings.ts'
import { getItems, type Kubectl } from '../kubectl.ts'

const Event = z.looseObject({
  message: z.nullish(z.string()),
  involvedObject: z.optional(z.looseObject({ name: z.optional(z.string()) })),
})

/** Returns the events with these fields, the last one at the end; none if the events cannot be read. */
export async function readEvents(
  kubectl: Kubectl,
  fields: string,
): Promise<z.infer<typeof Event>[]> {
  const args = ['--sort-by=.lastTimestamp', `--field-selector=${fields}`]
  const events = await catchEnd(() => getItems(kubectl, Event, 'events', ...args))
  return events instanceof CheckEnd ? [] : events
}
