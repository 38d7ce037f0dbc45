"""A few sentences for synthesised speech; what they say does not matter, their sounds do."""

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "Could everybody please take a seat, the show is about to start.",
        "I told you that the lamp on the left side has been broken since Thursday!",
        "She sells what she finds at the shore, mostly shells and old bottles.",
        "Good evening, and welcome back to the programme.",
        "Put your hands up, make some noise, one more time!",
        "Why would anyone walk five miles in this weather?",
        "No. Not yet. Wait for my signal, then go.",
        "The quick brown fox jumps over the lazy dog while the cook watches.",
        "Check, check, one two three, can you hear me at the back?",
    ),
    "de": (
        "Der Lappen liegt auf dem Tisch, und keiner hat ihn weggeräumt.",
        "Das will sie heute Abend noch ihrem Bruder erzählen.",
        "Kommst du morgen mit, oder bleibst du lieber zu Hause?",
        "Ich habe dir doch gesagt, dass die Straße gesperrt ist!",
        "Guten Abend, meine Damen und Herren, schön, dass Sie da sind.",
        "Seit sieben Stunden warten wir schon auf den Zug nach Köln.",
        "Nein, das glaube ich nicht. Warum sollte er so etwas tun?",
        "Zwölf große Kisten stehen im Keller, frisch gestrichen und leer.",
    ),
    "fr": (
        "Bonsoir à toutes et à tous, merci d'être venus si nombreux.",
        "Je ne sais pas encore si nous partirons demain ou lundi.",
        "Il fait froid ce matin, prends ton manteau et tes gants.",
        "Qui a fermé la porte du jardin ?",
    ),
    "es": (
        "Buenas noches a todos, el concierto empieza en cinco minutos.",
        "No me digas que has perdido las llaves otra vez.",
        "Mañana por la tarde vamos a la playa con los niños.",
        "¿Quién quiere un poco más de café?",
    ),
    "it": (
        "Signore e signori, benvenuti a questa bellissima serata.",
        "Non ho ancora deciso che cosa mangiare questa sera.",
        "Spegni la luce quando esci, per favore!",
    ),
    "nl": (
        "Goedenavond allemaal, de voorstelling begint over een kwartier.",
        "Ik heb het je toch gisteren gezegd?",
    ),
    "pl": ("Dobry wieczór państwu, zaczynamy za pięć minut.", "Dlaczego nikt mi o tym nie powiedział?"),
    "fi": ("Hyvää iltaa kaikille, esitys alkaa viiden minuutin kuluttua.", "Missä sinä olit koko päivän?"),
    "tr": ("İyi akşamlar, gösteri beş dakika içinde başlıyor.", "Neden bana daha önce söylemedin?"),
    "ru": ("Добрый вечер, представление начнётся через пять минут.", "Почему ты мне ничего не сказал?"),
    "sv": ("God kväll allesammans, föreställningen börjar om fem minuter.", "Varför sa du ingenting?"),
    "hi": ("शुभ संध्या, कार्यक्रम पाँच मिनट में शुरू होगा।", "तुमने मुझे पहले क्यों नहीं बताया?"),
}
"""Sentences by espeak-ng's name of the language."""
