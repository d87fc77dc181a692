/**
 * The search of the site: MiniSearch's options. VitePress copies the text of these functions into the pages, so that they use
 * nothing outside themselves.
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
      fields: ['title', 'titles', 'text', 'names'],
      extractField: (section, field) =>
        field === 'names'
          ? [...(section.text ?? '').matchAll(/§(\S+)/g)].map(([, name]) => name).join(' ')
          : section[field],
      /** Returns identifiers such as `wimds.io/mode` and `AADSTS700213` as a whole, and their parts. */
      tokenize: (text) =>
        (text.match(/[\p{L}\p{N}]+(?:[-_./:][\p{L}\p{N}]+)*/gu) ?? []).flatMap((word) => {
          // An address and the name of a host are only whole words.
          const parts = /\..*\./.test(word) ? [word] : word.split(/[-_./:]|(?<=AADSTS)/i)
          return parts.length > 1 ? [word, ...parts] : parts
        }),
    },
    searchOptions: {
      boost: { title: 3.5, names: 2, titles: 1, text: 1 },
      /** A code or an address means only itself. */
      fuzzy: (term) => (/\d|^.{0,4}$/.test(term) ? false : 0.2),
      prefix: (term) => term.length > 2,
      /** What is typed counts most, the beginning of a word less, and a misspelt word least. */
      weights: { prefix: 0.375, fuzzy: 0.1 },
      /** Words that every page has. */
      boostTerm: (term) =>
        /^(?:a|an|and|are|by|can|for|how|in|is|it|no|not|of|on|or|the|to|use|what|when|with|wimds)$/.test(
          term,
        )
          ? 0.1
          : 1,
      /**
       * A page goes before its sections; a page with explanations before a list of flags and values, and before a recipe, of
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
          (titles.length === 0 ? 1.8 : 1) *
          (/^(?:chart|cli|logs|metrics)$/.test(page) || id.includes('/recipes/') ? 0.4 : 1)
        )
      },
    },
  },
}
