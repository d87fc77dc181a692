import { WORDS } from './words.mjs'

/**
 * The search of the site: MiniSearch's options. VitePress copies the text of these functions into the pages. What a page calls uses
 * nothing outside itself; only the build calls `_render` and `extractField`.
 */
export const SEARCH = {
  /** Marks the names that a table or a list defines, such as a setting in its row, for the field `names`. */
  _render: (markdown, env, renderer) =>
    renderer.render(
      markdown.replaceAll(/^(?:\| *|- )(?:\*\*)?`[^|:]+/gm, (cell) =>
        cell.replaceAll(/`([\w./-]+)[^`]*`/g, '§$1 $&'),
      ),
      env,
    ),
  miniSearch: {
    options: {
      fields: ['title', 'titles', 'text', 'names', 'words'],
      extractField: (section, field) => {
        if (field === 'words') return WORDS[section.id.replace(/^\/wimds\/[^/]+\/|\.html/g, '')]
        if (field !== 'names') return section[field]
        return [...(section.text ?? '').matchAll(/§(\S+)/g)].map(([, name]) => name).join(' ')
      },
      /** Returns identifiers such as `wimds.io/mode`, `AADSTS700213` and `ForbiddenByRbac` as a whole, and their parts. */
      tokenize: (text) =>
        (text.match(/[\p{L}\p{N}]+(?:[-_./:][\p{L}\p{N}]+)*/gu) ?? []).flatMap((word) => {
          // An address and the name of a host are only whole words.
          const parts =
            /\..*\./.test(word) && !/[A-Z]/.test(word)
              ? [word]
              : word.split(/[-_./:]|(?<=AADSTS|aadsts)|(?<=[a-z\d])(?=[A-Z])/)
          return parts.length > 1 ? [word, ...parts] : parts
        }),
    },
    searchOptions: {
      boost: { title: 2, words: 1.3 },
      /** Drops words of every sentence, which would make a long page match a long question; adds our word for the field's. */
      processTerm: (typed) => {
        const term = typed.toLowerCase()
        const ours = {
          aad: ['entra'],
          azuread: ['entra'],
          azwi: ['azure-workload-identity'],
          cert: ['certificate'],
          denied: ['403'],
          fic: ['federated', 'credential'],
          forbidden: ['403'],
          k8s: ['kubernetes'],
          mic: ['aad-pod-identity'],
          msi: ['managed'],
          mutating: ['webhook'],
          nmi: ['aad-pod-identity'],
          ram: ['memory'],
          restriction: ['restricted'],
          ssl: ['tls'],
          uami: ['managed', 'identity'],
        }
        return /^(?:an?|and|are|as|at|be|but|by|can|cannot|did|didn|do|does|doesn|don|for|from|getting|has|have|how|i|if|in|into|is|isn|its?|my|not?|of|on|or|so|t|that|the|then|there|this|to|use|used|using|was|we|what|when|which|while|why|will|with|wimds|you|your)$/.test(
          term,
        )
          ? null
          : [term, ...(Object.hasOwn(ours, term) ? ours[term] : [])]
      },
      /** A code of Entra ID says more than the words around it, and a word of most pages says less. */
      boostTerm: (term) =>
        /\d{5}/.test(term)
          ? 3
          : /^(?:aks|azure|error|fail(?:ed|s)|identity|kubernetes|managed|pods?|sidecar|tokens?|workload)$/.test(
                term,
              )
            ? 0.7
            : 1,
      /** A code or an address means only itself, once it is typed whole. */
      fuzzy: (term) => (/\d|^.{0,4}$/.test(term) ? false : 0.2),
      prefix: (term, index, terms) =>
        term.length > 2 && (!/\d/.test(term) || index === terms.length - 1),
      /** What is typed counts most, the beginning of a word less, and a misspelt word least. */
      weights: { prefix: 0.2, fuzzy: 0.1 },
      /**
       * What explains an error goes first; a page goes before its sections; a page with explanations before a list of flags and values, and before a recipe, of
       * which each repeats the same words; what only contributors read comes last.
       */
      boostDocument: (id, term, { titles }) => {
        const [, page = ''] = /([^/]*)\.html/.exec(id) ?? []
        // A code without a section leads to the page, and to no other code.
        if (term === 'aadsts' && titles.length > 0) return 0.1
        if (
          /^\d{4}-|^(?:architecture|changelog|contributing|documentation|entra|governance|protocol|releasing)$/i.test(
            page,
          )
        )
          return 0.2
        return (
          (titles.length === 0 ? 1.5 : 1) *
          (/^(?:troubleshooting|access-denied)$/.test(page) ? 1.25 : 1) *
          (/^(?:chart|cli|examples.*|logs|metrics)$/.test(page)
            ? 0.4
            : /recipes\/\w/.test(id)
              ? 0.7
              : 1)
        )
      },
    },
  },
}
