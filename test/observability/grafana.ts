/** Grafana's published types of a dashboard (its npm package), as JSON has them, with the panels of ours. */
import type { Dashboard, Panel, RowPanel } from '@grafana/schema'
import type {
  FieldConfig as TimeSeriesConfig,
  Options as TimeSeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type { Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen'

/** JSON has the values of enumerations, not their names. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T

/** What Grafana's Prometheus data source reads of a query; its types are not published. */
interface Target {
  refId: string
  datasource: { type: 'prometheus'; uid: string }
  expr: string
  legendFormat: string
  instant?: boolean
  range?: boolean
  format?: 'table' | 'time_series'
}

type PanelOf<Type extends string, Options, Config = never> = Omit<
  Panel,
  'type' | 'options' | 'targets' | 'fieldConfig'
> & {
  type: Type
  options: Options
  targets: Target[]
  fieldConfig: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
    defaults: Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'> & { custom?: Config }
  }
}

type ShownPanel =
  | PanelOf<'stat', StatOptions>
  | PanelOf<'table', TableOptions>
  | PanelOf<'timeseries', TimeSeriesOptions, TimeSeriesConfig>

/** The model that a file of this type can be imported as. A collapsed row has its panels. */
export type GrafanaDashboard = Json<
  Omit<Dashboard, 'panels'> & {
    panels: (ShownPanel | (Omit<RowPanel, 'panels'> & { panels: ShownPanel[] }))[]
  }
>
