/** Rows of a CSV text as RFC 4180 has it. Throws on a quote that is never closed. */
export function readCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let field = ''
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted) {
      if (character !== '"') field += character
      else if (text[at + 1] !== '"') quoted = false
      else {
        field += '"'
        at += 1
      }
    } else if (character === '"' && field === '') quoted = true
    else if (character === ',') {
      row.push(field)
      field = ''
    } else if (character === '\r' && text[at + 1] === '\n') {
      rows.push([...row, field])
      row = []
      field = ''
      at += 1
    } else field += character
  }
  if (quoted || field !== '' || row.length > 0) throw new Error('The text ends inside a row.')
  return rows
}
