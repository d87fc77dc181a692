/** Migrates from the proxy sidecar of azure-workload-identity. */
import { AZWI_PREFIX, TENANT_ID } from '../../../cluster/injector/annotations.ts'
import { allContainers } from '../../../cluster/injector/pod.ts'
import {
  type ClusterObjects,
  findAccountName,
  formatObject,
  type ServiceAccountObject,
  type WorkloadObject,
} from '../cluster-objects.ts'
import { USE_LABEL } from '../needs.ts'
import { type Change, createChange, type Migration } from './change.ts'
import { editWorkload, formatTexts } from './edit-workload.ts'

const INJECT_PROXY = `${AZWI_PREFIX}inject-proxy-sidecar`
const PROXY_PORT = `${AZWI_PREFIX}proxy-sidecar-port`
const PROXY_CONTAINERS = ['azwi-proxy', 'azwi-proxy-init']

/** Returns the changes of the workloads that use the proxy, and of their ServiceAccounts. */
export function migrateFromAzureWorkloadIdentity(
  objects: ClusterObjects,
  tenantId: string | undefined,
): Migration {
  const edited = objects.workloads.map((workload) =>
    usesProxy(workload) ? replaceProxy(workload) : { workload, change: undefined },
  )
  const users = new Set(
    objects.workloads
      .filter(usesProxy)
      .map((workload) => `${workload.namespace}/${findAccountName(workload)}`),
  )
  const accountChanges = objects.serviceAccounts.flatMap((account) =>
    users.has(`${account.namespace}/${account.name}`) ? addTenant(account, tenantId) : [],
  )
  return {
    changes: [...edited.flatMap(({ change }) => change ?? []), ...accountChanges],
    objects: { ...objects, workloads: edited.map(({ workload }) => workload) },
    known: [],
  }
}

/** Returns true if the workload has the proxy: its webhook treats any value of the annotation as true. */
function usesProxy({ template }: WorkloadObject): boolean {
  return (
    template.metadata?.annotations?.[INJECT_PROXY] !== undefined ||
    allContainers(template).some(({ name }) => PROXY_CONTAINERS.includes(name))
  )
}

function replaceProxy(workload: WorkloadObject) {
  const { labels, annotations } = workload.template.metadata ?? {}
  const value = annotations?.[INJECT_PROXY]
  const port = annotations?.[PROXY_PORT]
  const isLabelled = labels?.[USE_LABEL] === 'true'
  const edits = {
    removeAnnotations: [INJECT_PROXY, PROXY_PORT],
    removeContainers: PROXY_CONTAINERS,
    addAnnotations: {
      'wimds.io/inject': 'true',
      ...(port !== undefined && { 'wimds.io/port': port }),
    },
  }
  return editWorkload(workload, edits, [
    ...(value === undefined || value === 'true'
      ? []
      : [
          `the webhook of azure-workload-identity injected its proxy although the annotation ${INJECT_PROXY} is ${JSON.stringify(value)}. Leave out wimds.io/inject if the pod needs no sidecar`,
        ]),
    ...(isLabelled
      ? [
          `the label ${USE_LABEL} can be removed if no SDK in the pod uses workload identity itself; the webhook of azure-workload-identity then leaves the pod alone`,
        ]
      : []),
  ])
}

/** Adds the tenant: the webhook of azure-workload-identity has a default, injection that of the ServiceAccount. */
function addTenant(account: ServiceAccountObject, tenantId = 'TENANT_ID'): Change[] {
  if (account.annotations[TENANT_ID] !== undefined) return []
  return [
    createChange(formatObject('ServiceAccount', account), {
      add: formatTexts('metadata.annotations', { [TENANT_ID]: tenantId }),
      notes: [
        "not needed if the chart's injection.tenantId is set, or the pods keep the label of the other webhook, which adds its own tenant",
      ],
    }),
  ]
}
