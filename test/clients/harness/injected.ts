/** The variables that injection in mode env gives the containers of a real manifest. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { inject } from '../../../src/injection/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../src/injection/injector/injection-settings.ts'
import { DEFAULT_IDENTITY, TENANT_ID } from './identities.ts'

const MANIFEST = fileURLToPath(
  new URL('../../../examples/kubernetes/mode-env/job.yaml', import.meta.url),
)

/** A variable. Variables without a value get the uid of the pod from a field. */
const Variable = z.object({ name: z.string(), value: z.string().optional() })

type Variables = Readonly<Record<string, string>>

/** Injects the manifest with this port. Returns the variables of the injected containers, with this uid of the pod. */
export async function injectManifest(
  port: number,
  uid: string,
): Promise<{ readonly sidecar: Variables; readonly app: Variables }> {
  const { template } = parse(await readFile(MANIFEST, 'utf8')).spec
  const annotations = { ...template.metadata.annotations, 'wimds.io/port': `${port}` }
  const injection = inject({
    pod: { ...template, metadata: { annotations } },
    serviceAccount: {
      'azure.workload.identity/client-id': DEFAULT_IDENTITY.clientId,
      'azure.workload.identity/tenant-id': TENANT_ID,
    },
    settings: INJECTION_DEFAULTS,
  })
  if (injection.kind !== 'injected') throw new Error(JSON.stringify(injection))
  const { initContainers, containers } = injection.pod.spec
  const [sidecar = {}, app = {}] = [initContainers?.[0], containers[0]].map((container) =>
    Object.fromEntries(
      Variable.array()
        .parse(container?.env)
        .map(({ name, value = uid }) => [name, value]),
    ),
  )
  return { sidecar, app }
}
