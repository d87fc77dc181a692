/** The places of callers that wait for an exchange. */

export interface WaitingCallers {
  /** Whether one more may wait. */
  readonly hasRoom: () => boolean
  /** Holds a place until the answer is there. */
  readonly during: <T>(hasGone: () => boolean, answer: Promise<T>) => Promise<T>
}

/** Places for at most `max` callers at a time; those that have gone make room for others. */
export function waitingCallers(max: number): WaitingCallers {
  const places = new Set<{ readonly hasGone: () => boolean }>()

  function hasRoom(): boolean {
    if (places.size < max) return true
    for (const place of places) if (place.hasGone()) places.delete(place)
    return places.size < max
  }

  async function during<T>(hasGone: () => boolean, answer: Promise<T>): Promise<T> {
    const place = { hasGone }
    places.add(place)
    try {
      return await answer
    } finally {
      places.delete(place)
    }
  }

  return { hasRoom, during }
}
