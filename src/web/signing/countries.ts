import { countries } from '../../../schemas/countries.ts'

const names = new Intl.DisplayNames('en-GB', { type: 'region' })
const collator = new Intl.Collator('en-GB')

/** Every country by its name, as the items of a select. */
export function countryItems(selected: string) {
  return [...countries]
    .map(value => ({ value, text: names.of(value) ?? value, selected: value === selected }))
    .sort((a, b) => collator.compare(a.text, b.text))
}

/** Every time zone, as the items of a select. */
export function timeZoneItems(selected: string) {
  const zones = Intl.supportedValuesOf('timeZone')
  return zones.map(value => ({
    value,
    text: value.replaceAll('_', ' '),
    selected: value === selected
  }))
}
