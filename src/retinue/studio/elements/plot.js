// A plot by ECharts. It is there as soon as it is mounted, and may go at once: NiceGUI's own fails then.
import { echarts } from "nicegui-echart";

export default {
  template: `<div class="plot"></div>`,
  props: { options: Object },
  mounted() {
    this.chart = echarts.init(this.$el, null, { renderer: "svg" });
    this.chart.setOption(JSON.parse(JSON.stringify(this.options)));
    this.observer = new ResizeObserver(() => this.chart.resize());
    this.observer.observe(this.$el);
  },
  beforeUnmount() {
    this.observer.disconnect();
    this.chart.dispose();
  },
};
