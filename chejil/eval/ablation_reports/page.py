from chejil.eval.ablation_reports.report import Report
def page(found: Report, report_hash: str) -> str:
    return report_hash
