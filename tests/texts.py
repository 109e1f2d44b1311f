"""A thousand texts, always the same: many languages and scripts, emoji, code, blanks, control characters."""

from __future__ import annotations

import random

#: One sentence each, of 41 languages in 22 scripts.
LANGUAGES = {
    "Amharic": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    "Arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "Armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։",
    "Bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "Burmese": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် မွေးဖွားလာသူများ ဖြစ်သည်။",
    "Catalan": "Tots els éssers humans neixen lliures; l'aigua, la col·lecció.",
    "Chinese, simplified": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "Chinese, traditional": "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心。",
    "Czech": "Všichni lidé rodí se svobodní a sobě rovní; příliš žluťoučký kůň.",
    "Danish": "Alle mennesker er født frie og lige i værdighed: blåbærgrød på øen.",
    "Dutch": "Alle mensen worden vrij en gelijk in waardigheid geboren, 's avonds ook.",
    "English": "All human beings are born free; they're equal, aren't they? It's 1,234.56 DOLLARS.",
    "Esperanto": "Ĉiuj homoj estas denaske liberaj; eĥoŝanĝo ĉiuĵaŭde.",
    "Estonian": "Kõik inimesed sünnivad vabadena, öö ja äärmus.",
    "Finnish": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan.",
    "French": "Tous les êtres humains naissent libres; où l'œuf s'achève-t-il? Ça n'a qu'un hémisphère.",
    "Georgian": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი.",
    "German": "Alle Menschen sind frei und gleich an Würde geboren, Donaudampfschifffahrtsgesellschaft, STRAẞE, Maße.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι. ΟΔΟΣ",
    "Gujarati": "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર છે.",
    "Hebrew": "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "Hungarian": "Minden emberi lény szabadon születik: árvíztűrő tükörfúrógép.",
    "Icelandic": "Hver maður er borinn frjáls, þó að hæð sé ólík.",
    "Indonesian": "Semua orang dilahirkan merdeka dan mempunyai martabat.",
    "Irish": "Saolaítear gach duine den chine daonna saor agus comhionann.",
    "Italian": "Tutti gli esseri umani nascono liberi, perché l'uguaglianza è così.",
    "Japanese": "すべての人間は、生まれながらにして自由であり、カタカナとﾊﾝｶｸも平等である。",
    "Khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងភាពស្មើៗគ្នា។",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "Lao": "ມະນຸດທຸກຄົນເກີດມາມີອິດສະລະພາບ.",
    "Persian": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت با هم برابرند.",
    "Polish": "Wszyscy ludzie rodzą się wolni; zażółć gęślą jaźń.",
    "Portuguese": "Todos os seres humanos nascem livres; maçã, coração, avô.",
    "Russian": "Все люди рождаются свободными и равными в своём достоинстве. Съешь ещё!",
    "Spanish": "¿Todos los seres humanos nacen libres? ¡Sí, señor, pingüino!",
    "Swahili": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "Tamil": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์",
    "Turkish": "Bütün insanlar hür doğarlar: İstanbul'da ılık şöyle.",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm.",
}

_OTHERS = [
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇨🇳🇩🇪 ☃️ 1️⃣ 🤷🏿‍♀️",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ ≤ ½π² √2 ∑ᵢ xᵢ ﬁ ǅ ʰ",
    "def f(x: int = 0) -> str:\n\treturn f'{x!r:>10}'  # no-op\n\n\nif __name__ == '__main__':\n    f()\n",
    "<div class=\"a b\">&amp;&nbsp;</div>\r\n<!-- c -->\r\n",
    "SELECT * FROM t WHERE a>=1e-9 AND b!='';--",
    "https://example.com/a/b?c=d%20e#f user.name+tag@example.org C:\\dir\\file.txt",
    "0 1 12 123 1234 12345 1234567890 3.14159 1,000,000 0xFF ٣٤٥ 一二三 Ⅻ ½",
    "<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "<|im_start|>user\n<|im_end|>",
    "<|start|>assistant<|channel|>final<|message|>", "<|endoftext|", "|endoftext|>", "< |endoftext|>",
    " ", "  ", "\n", "\r\n\r\n", "\t\t\t", " \n \n  \n", "\u00a0\u2003\u3000", "a  b   c    d", "\n\n\n    x",
    " " * 100,
    "".join(map(chr, range(1, 32))), "\x7f\x80\x9f\ufeff\u200b\u200d\u202e", "\ufffd\uffff\U0010ffff\ue000",
    "e\u0301 n\u0303 a\u0308\u0304 \u0301", "I'M we'LL can'T 'S 'rE ’s", "!!!???...---___***", "aaaa" * 50,
    "AbCdEf" * 20,
    "", "a", "é", "中", "🙂", "\u0300",
]  # fmt: skip


def thousand() -> list[str]:
    """The texts: every sample by itself, then mixtures of pieces of them."""
    samples = [*LANGUAGES.values(), *_OTHERS]
    chance = random.Random(20_241_121)
    texts = list(samples)
    while len(texts) < 1000:
        pieces: list[str] = []
        for _ in range(chance.randint(1, 6)):
            sample = chance.choice(samples)
            start = chance.randrange(len(sample) + 1)
            pieces.append(sample[start : start + chance.randint(1, 60)])
        texts.append(chance.choice(["", " ", "\n", ", ", "\t"]).join(pieces))
    return texts
