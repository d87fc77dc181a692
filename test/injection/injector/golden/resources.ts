/** CPU and memory of the injected containers. */
import { INJECTION_DEFAULTS } from '../../../../src/injection/injector/injection-settings.ts'
import { AMOUNTS, app, type Cases, each, MIGRATE, NODE } from './shared.ts'

const GUARANTEED = app({ resources: { limits: AMOUNTS } })
export const RESOURCES: Cases = {
  'chosen by annotations': {
    annotations: { 'wimds.io/memory-request': '256Mi', 'wimds.io/cpu-limit': '500m' },
  },
  ...each(
    'with these of the pod, of which the containers get a share',
    [
      { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
      { limits: { cpu: 1 } },
      { requests: { memory: '1Gi' } },
      { limits: { 'hugepages-2Mi': '2Mi' } },
    ],
    (resources) => ({ spec: { resources } }),
  ),
  'with those of the pod, and annotations': {
    annotations: { 'wimds.io/cpu-request': '20m', 'wimds.io/memory-request': '80Mi' },
    spec: { resources: { limits: AMOUNTS } },
  },
  ...each(
    'in a pod of class Guaranteed, or not',
    [
      { limits: AMOUNTS },
      { limits: { cpu: '500m', memory: '1Gi' }, requests: { cpu: '.5' } },
      { limits: { cpu: '2e9', memory: '1Gi' }, requests: { cpu: '1e9' } },
      { limits: { cpu: '1', memory: '0' } },
      { limits: { cpu: '1', memory: '1E' }, requests: { memory: '1e18' } },
    ],
    (resources) => ({ spec: app({ resources }) }),
  ),
  ...each(
    'in a pod of class Guaranteed, with this CPU request of the settings',
    ['200m', '20m'],
    (cpu) => ({
      spec: GUARANTEED,
      settings: {
        resources: { ...INJECTION_DEFAULTS.resources, requests: { cpu, memory: '64Mi' } },
      },
    }),
  ),
  ...each('in a pod of class Guaranteed, with the annotation', ['limit', 'request'], (name) => ({
    annotations: { [`wimds.io/cpu-${name}`]: '50m' },
    spec: GUARANTEED,
  })),
  'in a pod with another container, without limits': {
    spec: { ...GUARANTEED, initContainers: [MIGRATE] },
  },
  'in a pod of class Guaranteed, in mode node': { annotations: NODE, spec: GUARANTEED },
}
