/** The kinds of faults, and the list of active faults. Each says to which requests it applies, and how often. */
import { z } from 'zod'

/** `token`: Entra ID's token endpoint; `metadata`: all its other paths. */
const FAULT_TARGETS = ['token', 'metadata', 'issuer'] as const
export type FaultTarget = (typeof FAULT_TARGETS)[number]

const common = {
  target: z.enum(FAULT_TARGETS).default('token'),
  /** Only token requests with this client id. */
  clientId: z.guid().optional(),
  /** Number of requests that the fault applies to. Default: all, until the faults are cleared. */
  times: z.int().positive().optional(),
}

/** At most 2^31 - 1, the limit of Node's timers. */
const milliseconds = z.number().nonnegative().max(2_147_483_647)
/** Three thousand years: within the range of Date. */
const MAX_SECONDS = 1e11
const MAX_SKEW_MS = 1000 * MAX_SECONDS

const faultOf = <Kind extends string, Shape extends z.ZodRawShape>(kind: Kind, shape: Shape) =>
  z.strictObject({ kind: z.literal(kind), ...common, ...shape })

const FaultSchema = z.discriminatedUnion('kind', [
  // Replacements of the real answer: the first that matches applies.
  faultOf('status', {
    status: z.int().min(200).max(599),
    body: z.string().default(''),
    contentType: z.string().default('text/plain; charset=utf-8'),
    headers: z.record(z.string(), z.string()).default({}),
  }),
  /** Entra's 429 for client credentials: plain text, `Retry-After: 60`. */
  faultOf('throttled', {
    retryAfterSeconds: z.number().nonnegative().max(MAX_SECONDS).default(60),
  }),
  /** Entra's 503: JSON with AADSTS90033. */
  faultOf('unavailable', {}),
  /** The request is read and never answered. */
  faultOf('hang', {}),
  /** The connection is reset before the answer, or half-way through its body. */
  faultOf('reset', { when: z.enum(['before-answer', 'mid-body']).default('before-answer') }),
  /** An error of Entra ID by its AADSTS code. */
  faultOf('aadsts', {
    code: z.int().positive(),
    /** Default: the status of the code in the simulator's table. */
    status: z.int().min(400).max(599).optional(),
    error: z.string().optional(),
    text: z.string().optional(),
  }),

  // Changes to the real answer: the first of each kind applies.
  faultOf('delay', { ms: milliseconds }),
  /** The body is sent in chunks, with a pause after each. */
  faultOf('slow-body', { chunkBytes: z.int().positive().default(16), everyMs: milliseconds }),
  /** Lifetimes of issued tokens. */
  faultOf('lifetime', {
    expiresInSeconds: z.int().optional(),
    refreshInSeconds: z.int().positive().optional(),
  }),
  /** Entra ID's clock skew. It affects its checks, its tokens and the header `Date`. */
  faultOf('clock', { offsetMs: z.number().min(-MAX_SKEW_MS).max(MAX_SKEW_MS) }),
])

export const FaultsSchema = z.array(FaultSchema)
export type FaultInput = z.input<typeof FaultSchema>
type Fault = z.infer<typeof FaultSchema>
type FaultKind = Fault['kind']

/** The faults that apply to one request: at most one replacement, and one of each change. */
export type Effects = { readonly [Kind in ChangeKind]?: Extract<Fault, { kind: Kind }> } & {
  readonly answer?: Exclude<Fault, { kind: ChangeKind }>
}

const CHANGES = ['delay', 'slow-body', 'lifetime', 'clock'] as const
type ChangeKind = (typeof CHANGES)[number]

export type Faults = ReturnType<typeof createFaults>

/** Creates an empty list of faults. */
export function createFaults() {
  let active: { fault: Fault; left: number }[] = []
  /** Returns the remaining faults, with `times` as the number of requests left. */
  const list = (): Fault[] =>
    active.map(({ fault, left }) => (left === Infinity ? fault : { ...fault, times: left }))
  /** Replaces all faults, and returns them. Throws a ZodError for an invalid one. */
  const set = (faults: readonly FaultInput[]): Fault[] => {
    active = FaultsSchema.parse(faults).map((fault) => ({ fault, left: fault.times ?? Infinity }))
    return list()
  }

  return {
    list,
    set,
    add: (...faults: readonly FaultInput[]) => set([...list(), ...faults]),
    clear: () => set([]),
    /** Returns the faults for one request and counts them as used. */
    take(target: FaultTarget, clientId: string | undefined): Effects {
      const effects: Record<string, Fault> = {}
      for (const entry of active) {
        const { fault } = entry
        const slot = isChange(fault.kind) ? fault.kind : 'answer'
        if (slot in effects || !appliesTo(fault, target, clientId)) continue
        effects[slot] = fault
        entry.left -= 1
      }
      active = active.filter(({ left }) => left > 0)
      return effects
    },
  }
}

const isChange = (kind: FaultKind): kind is ChangeKind => CHANGES.some((change) => change === kind)

const appliesTo = (fault: Fault, target: FaultTarget, clientId: string | undefined): boolean =>
  fault.target === target &&
  (fault.clientId === undefined || fault.clientId.toLowerCase() === clientId?.toLowerCase())
