/** Faults to inject: which there are, whom they meet, and how often. */
import { z } from 'zod'

/** What a fault can be put on. `token` is Entra's token endpoint, `metadata` all else it serves. */
const FAULT_TARGETS = ['token', 'metadata', 'issuer', 'vault'] as const
export type FaultTarget = (typeof FAULT_TARGETS)[number]

const common = {
  target: z.enum(FAULT_TARGETS).default('token'),
  /** Only requests with this client id (in the form of a token request). */
  clientId: z.guid().optional(),
  /** How many requests it meets; without it, all until the faults are cleared. */
  times: z.int().positive().optional(),
}

/** Node's timers hold no more: 2^31 - 1. */
const milliseconds = z.number().nonnegative().max(2_147_483_647)
/** Three thousand years: what Date can hold, whatever the time is. */
const MAX_SECONDS = 1e11
const retryAfter = {
  retryAfterSeconds: z.number().nonnegative().max(MAX_SECONDS).optional(),
  /** Send Retry-After as an HTTP date rather than as seconds. */
  retryAfterAsDate: z.boolean().default(false),
}

const FaultSchema = z.discriminatedUnion('kind', [
  // An answer in place of the real one: the first that matches wins.
  z.strictObject({
    kind: z.literal('status'),
    ...common,
    status: z.int().min(200).max(599),
    body: z.string().default(''),
    contentType: z.string().default('text/plain; charset=utf-8'),
    headers: z.record(z.string(), z.string()).default({}),
  }),
  /** Entra's 429 for client credentials: plain text, `Retry-After: 60`. */
  z.strictObject({ kind: z.literal('throttled'), ...common, ...retryAfter }),
  /** 503 as Entra (JSON, AADSTS90033), a gateway (HTML) or a load balancer (empty) says it. */
  z.strictObject({
    kind: z.literal('unavailable'),
    ...common,
    ...retryAfter,
    body: z.enum(['json', 'html', 'empty']).default('json'),
  }),
  /** The request is read and never answered. */
  z.strictObject({ kind: z.literal('hang'), ...common }),
  /** The connection is reset before the answer, or half-way through its body. */
  z.strictObject({
    kind: z.literal('reset'),
    ...common,
    when: z.enum(['before-answer', 'mid-body']).default('before-answer'),
  }),
  z.strictObject({
    kind: z.literal('redirect'),
    ...common,
    to: z.url(),
    status: z.union([z.literal(302), z.literal(307), z.literal(308)]).default(307),
  }),
  /** 200 with bytes that are no JSON. */
  z.strictObject({ kind: z.literal('garbage'), ...common }),
  /** 200 with a JSON body of this many bytes. */
  z.strictObject({ kind: z.literal('oversized'), ...common, bytes: z.int().positive() }),
  /** A refusal of Entra, as if the directory were so. */
  z.strictObject({
    kind: z.literal('aadsts'),
    ...common,
    code: z.int().positive(),
    /** For codes that the simulator does not know, or to change what it says. */
    status: z.int().min(400).max(599).optional(),
    error: z.string().optional(),
    text: z.string().optional(),
  }),

  // Changes to the real answer: one of each kind applies.
  z.strictObject({ kind: z.literal('delay'), ...common, ms: milliseconds }),
  /** The body comes in pieces. */
  z.strictObject({
    kind: z.literal('slow-body'),
    ...common,
    chunkBytes: z.int().positive().default(16),
    everyMs: milliseconds,
  }),
  /** A success without these members of its JSON. */
  z.strictObject({
    kind: z.literal('missing-fields'),
    ...common,
    fields: z.array(z.string()).min(1).default(['access_token']),
  }),
  /** Lifetimes of the tokens issued. */
  z.strictObject({
    kind: z.literal('lifetime'),
    ...common,
    expiresInSeconds: z.int().optional(),
    refreshInSeconds: z.int().positive().optional(),
  }),
  /**
   * The federated credentials are not on every node yet: within the window, an exchange meets a
   * node without them with this probability.
   */
  z.strictObject({
    kind: z.literal('propagation'),
    ...common,
    windowMs: milliseconds.default(120_000),
    probability: z.number().min(0).max(1).default(0.5),
  }),
  /** Entra's clock is off by this much, in what it checks, issues and says in `Date`. */
  z.strictObject({
    kind: z.literal('clock'),
    ...common,
    offsetMs: z
      .number()
      .min(-1000 * MAX_SECONDS)
      .max(1000 * MAX_SECONDS),
  }),
])

export const FaultsSchema = z.array(FaultSchema)
export type FaultInput = z.input<typeof FaultSchema>
export type Fault = z.infer<typeof FaultSchema>
type FaultKind = Fault['kind']

/** The faults that meet one request: at most one answer, and one of each change. */
export type Effects = { readonly [Kind in ChangeKind]?: Extract<Fault, { kind: Kind }> } & {
  readonly answer?: Exclude<Fault, { kind: ChangeKind }>
}

const CHANGES = [
  'delay',
  'slow-body',
  'missing-fields',
  'lifetime',
  'propagation',
  'clock',
] as const
type ChangeKind = (typeof CHANGES)[number]

export interface Faults {
  /** Adds faults after those that are there. Throws a ZodError for one that makes no sense. */
  add(...faults: readonly FaultInput[]): void
  /** Replaces all faults. */
  set(faults: readonly FaultInput[]): void
  clear(): void
  /** The faults still to come, with `times` as what is left of it. */
  list(): readonly Fault[]
  /** The faults for one request, counted as used. Of one kind, the first that matches applies. */
  take(target: FaultTarget, clientId: string | undefined): Effects
}

/** A list of faults, empty at first. `now` starts the window of a propagation fault. */
export function createFaults(now: () => number = Date.now): Faults {
  let live: { fault: Fault; left: number; addedAt: number }[] = []
  const parsed = (faults: readonly FaultInput[]) =>
    FaultsSchema.parse(faults).map((fault) => ({
      fault,
      left: fault.times ?? Infinity,
      addedAt: now(),
    }))

  return {
    add(...faults) {
      live = [...live, ...parsed(faults)]
    },
    set(faults) {
      live = parsed(faults)
    },
    clear() {
      live = []
    },
    list: () =>
      live.map(({ fault, left }) => (left === Infinity ? fault : { ...fault, times: left })),
    take(target, clientId) {
      const effects: Record<string, Fault> = {}
      for (const entry of live) {
        const { fault, addedAt } = entry
        const slot = isChange(fault.kind) ? fault.kind : 'answer'
        const isOver = fault.kind === 'propagation' && now() >= addedAt + fault.windowMs
        if (slot in effects || isOver || !meets(fault, target, clientId)) continue
        effects[slot] = fault
        entry.left -= 1
      }
      live = live.filter(({ left }) => left > 0)
      return effects
    },
  }
}

const isChange = (kind: FaultKind): kind is ChangeKind => CHANGES.some((change) => change === kind)

const meets = (fault: Fault, target: FaultTarget, clientId: string | undefined): boolean =>
  fault.target === target &&
  (fault.clientId === undefined || fault.clientId.toLowerCase() === clientId?.toLowerCase())
