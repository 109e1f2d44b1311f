"""What a search has found, and why."""

WORDS = {
    "score": ("Score", "得分"),
    "why": ("Why?", "为什么？"),
    "meaning": ("Meaning", "语义"),
    "words": ("Words", "关键词"),
    "rank": ("rank {rank}", "第 {rank} 名"),
    "beyond": ("beyond rank 100", "100 名以后"),
    "counts": ("counts for {weight} %", "权重 {weight} %"),
    "no_meaning": (
        "does not count here: there are no vectors, or only words were asked for",
        "未计入：没有向量，或仅按关键词检索",
    ),
    "no_words": ("none of the words is in it", "不含任何关键词"),
    "has": ("has {words}", "包含：{words}"),
    "lacks": ("lacks {words}", "缺少：{words}"),
    "comma": (", ", "、"),
    "cosine": ("cosine {cosine}", "余弦 {cosine}"),
    "both": ("Both together: {score}.", "两者合计：{score}。"),
    "reranked": (
        "The reranking model then gave {score}, which is what the order goes by.",
        "重排模型随后给出 {score}，结果按此排序。",
    ),
    "fits": ("Of the queries it fits best: {query}", "最匹配的查询：{query}"),
    "place": ("chunk {chunk} of {chunks}", "第 {chunk}/{chunks} 个片段"),
    "page": ("page {page}", "第 {page} 页"),
    "around": ("What stands before and behind it", "查看前后文"),
    "first": (
        "It came first because {why}.",
        "它排在第一，因为{why}。",
    ),
    "by_both": ("it is near in meaning and has the words", "语义相近且包含关键词"),
    "by_meaning": ("it is nearest in meaning, although it has none of the words", "语义最接近，尽管不含关键词"),
    "by_words": ("it has the words that are rare in this vector store", "包含此向量库中较少见的关键词"),
    "by_reranker": ("the reranking model put it first", "重排模型将其排在首位"),
}
