"""The table of synonyms: what HR calls our columns, in seven languages.

English first, then German, French, Spanish, Portuguese, Polish and Dutch. Case, accents, spaces and punctuation do not
matter, so a word stands here once however it is written; where a letter has no plain twin (ł), both spellings do.

A word that could mean two things is in no list: "name" (and "nom", "nombre", "nome", "naam"), "number", "region"
(EMEA), "amount" (a price), "firma" (signature or company), "estado" (state or status), "apelido" (surname or
nickname), "assinatura" (signature or subscription), "equipo" (equipment or team), "data" (date or anything).
A bare "reference" may be a line number: taken for ours, each row would be an order of its own, and a sheet that was
ordered without it would be ordered again. "Address 1" is half an address where there is an "Address 2".
"""

from __future__ import annotations

from batch_orders.models import Column

SYNONYMS: dict[Column, tuple[str, ...]] = {
    Column.EMAIL: (
        "email", "e-mail address", "email address", "email id", "mail", "mail address",
        "work e-mail", "work email address", "company email", "company email address", "business email",
        "business email address", "corporate email", "corporate email address", "office email",
        "employee email", "employee email address", "recipient email", "contact email", "user email",
        "e-mail-adresse", "mailadresse", "e-mail geschäftlich", "geschäftliche e-mail", "dienstliche e-mail",
        "courriel", "adresse e-mail", "adresse mail", "adresse courriel", "adresse électronique",
        "e-mail professionnel", "courriel professionnel",
        "correo", "correo electrónico", "correo electrónico corporativo", "correo corporativo", "dirección de correo",
        "dirección de correo electrónico",
        "e-mail corporativo", "e-mail profissional", "endereço de e-mail", "correio eletrónico", "correio eletrônico",
        "adres e-mail", "e-mail służbowy", "e-mail sluzbowy", "adres mailowy", "poczta elektroniczna",
        "e-mailadres", "zakelijk e-mailadres", "werkmail", "zakelijke e-mail",
    ),
    Column.FIRSTNAME: (
        "firstname", "first names", "given name", "given names", "forename", "forenames", "employee first name",
        "recipient first name", "legal first name", "preferred first name",
        "vorname", "vornamen", "rufname",
        "prénom", "prénoms",
        "nombre de pila", "primer nombre",
        "primeiro nome", "nome próprio",
        "imię", "imiona",
        "voornaam", "voornamen", "roepnaam",
    ),
    Column.LASTNAME: (
        "lastname", "last names", "surname", "surnames", "family name", "employee last name", "recipient last name",
        "legal last name",
        "nachname", "familienname", "zuname",
        "nom de famille",
        "apellido", "apellidos", "primer apellido",
        "sobrenome", "último nome", "nome de família",
        "nazwisko",
        "achternaam", "familienaam",
    ),
    Column.PHONE_NUMBER: (
        "phone number", "phone", "phone no", "telephone", "telephone number", "telephone no", "tel", "tel no",
        "mobile", "mobile number", "mobile no", "mobile phone", "mobile phone number", "cell", "cell phone",
        "cell number", "cell phone number", "contact number", "contact phone", "contact phone number", "work phone",
        "employee phone", "recipient phone", "recipient phone number",
        "telefon", "telefonnummer", "telefon nr", "tel nr", "rufnummer", "handy", "handynummer", "mobilnummer",
        "mobiltelefon", "mobilfunknummer",
        "téléphone", "numéro de téléphone", "n° de téléphone", "téléphone portable", "numéro de portable",
        "téléphone mobile",
        "teléfono", "número de teléfono", "teléfono móvil", "móvil", "celular", "número de celular",
        "telefone", "número de telefone", "telemóvel", "número de telemóvel", "número do celular", "telefone celular",
        "numer telefonu", "nr telefonu", "telefon komórkowy", "telefon kontaktowy", "komórka", "numer komórki",
        "telefoon", "telefoonnummer", "telefoonnr", "mobiel", "mobiel nummer", "mobiele nummer", "gsm nummer",
    ),
    Column.SHIPPING_ADDRESS: (
        "shipping address", "address", "street", "street address", "street and number", "delivery address",
        "home address", "mailing address", "postal address", "ship to address", "shipping street", "full address",
        "adresse", "straße", "straße und hausnummer", "straße hausnummer", "straße hausnr", "straße nr", "anschrift",
        "lieferadresse", "lieferanschrift", "wohnadresse", "privatadresse", "versandadresse",
        "rue", "adresse de livraison", "adresse d'expédition", "adresse postale", "numéro et rue",
        "dirección", "calle", "calle y número", "dirección de envío", "dirección de entrega", "domicilio",
        "direccion postal",
        "endereço", "rua", "morada", "endereço de entrega", "morada de entrega", "endereço para entrega",
        "endereço de envio", "rua e número",
        "adres", "ulica", "adres dostawy", "adres wysyłki", "adres wysylki", "ulica i numer", "adres zamieszkania",
        "adres do wysyłki",
        "straat", "straat en huisnummer", "straat en nummer", "afleveradres", "bezorgadres", "verzendadres",
        "leveradres", "thuisadres", "woonadres",
    ),
    Column.SHIPPING_CITY: (
        "shipping city", "city", "town", "delivery city", "city town", "city or town", "town city", "municipality",
        "ort", "stadt", "wohnort", "lieferort",
        "ville", "commune", "localité",
        "ciudad", "localidad", "población", "municipio",
        "cidade", "localidade", "município",
        "miasto", "miejscowość", "miejscowosc",
        "stad", "plaats", "woonplaats", "plaatsnaam",
    ),
    Column.SHIPPING_STATE: (
        "shipping state", "state", "province", "state province", "province state", "state or province",
        "state region", "state province region", "state code", "province code",
        "bundesland", "kanton",
        "département",
        "provincia", "estado o provincia", "comunidad autónoma",
        "uf", "estado uf",
        "województwo", "wojewodztwo",
        "provincie",
    ),
    Column.SHIPPING_ZIP: (
        "shipping zip", "zip", "zip code", "zip / postal code", "postal code", "postal code zip", "postal zip code",
        "postal zip", "postcode", "post code", "zip postcode", "zip or postal code", "eircode", "pin code",
        "plz", "postleitzahl",
        "code postal", "cp",
        "código postal",
        "cep", "código de endereçamento postal",
        "kod pocztowy",
    ),
    Column.SHIPPING_COUNTRY: (
        "shipping country", "country", "country code", "iso country", "iso2", "country iso", "country iso2",
        "iso country code", "country code iso2", "country iso code", "ship to country", "country of residence",
        "land", "länderkürzel", "ländercode", "lieferland",
        "pays", "pays de livraison", "code pays",
        "país", "país de entrega", "país de envío", "código de país", "código país",
        "código do país",
        "kraj", "kod kraju", "kraj dostawy", "państwo",
        "landcode",
    ),
    Column.PRODUCT_TITLE: (
        "product title", "product", "product name", "item", "item name", "item title", "equipment", "device",
        "hardware", "product description", "equipment needed",
        "produkt", "artikel", "produkttitel", "produktname", "produktbezeichnung", "artikelbezeichnung",
        "artikelname", "gerät", "geräte", "ausstattung",
        "produit", "article", "matériel", "équipement", "nom du produit", "appareil",
        "producto", "artículo", "nombre del producto", "dispositivo", "equipamiento",
        "produto", "artigo", "nome do produto", "equipamento",
        "nazwa produktu", "sprzęt", "urządzenie", "artykuł", "wyposażenie", "wyposazenie",
        "productnaam", "apparaat", "apparatuur", "artikelnaam", "uitrusting",
    ),
    Column.QUANTITY: (
        "quantity", "qty", "count", "pieces", "pcs", "units", "no of items", "number of items", "number of units",
        "item quantity", "order quantity", "quantity needed", "quantity requested",
        "menge", "anzahl", "stück", "stückzahl", "bestellmenge",
        "quantité", "qté", "nombre d'articles",
        "cantidad", "cant", "unidades",
        "quantidade", "qtd", "qtde",
        "ilość", "ilosc", "liczba sztuk", "sztuki", "szt",
        "aantal", "hoeveelheid", "aantal stuks",
    ),
    Column.EXPEDITE_SHIPPING: (
        "expedite shipping", "expedited shipping", "shipping method", "shipping option", "shipping", "expedite",
        "delivery method", "shipping speed", "shipping type", "shipping service", "ship method", "ship via",
        "delivery option",
        "versandart", "versand", "versandmethode", "lieferart",
        "mode de livraison", "mode d'expédition", "méthode de livraison", "méthode d'expédition",
        "método de envío", "forma de envío", "método de entrega", "tipo de envío",
        "forma de envio", "modo de envio",
        "sposób dostawy", "metoda dostawy", "sposób wysyłki", "sposob wysylki",
        "verzendmethode", "verzendwijze", "bezorgmethode", "leveringswijze",
    ),
    Column.IS_SIGNATURE_REQUIRED: (
        "is signature required", "signature required", "signature", "require signature", "requires signature",
        "signature required y n", "signature required yes no", "signature on delivery", "delivery signature",
        "unterschrift", "unterschrift erforderlich", "unterschrift nötig",
        "signature requise", "signature obligatoire", "signature à la livraison",
        "firma requerida", "requiere firma", "firma obligatoria",
        "assinatura obrigatória", "assinatura requerida", "assinatura na entrega",
        "wymagany podpis", "podpis wymagany", "podpis przy odbiorze",
        "handtekening", "handtekening vereist", "handtekening nodig", "handtekening bij ontvangst",
    ),
    Column.ORDER_REFERENCE: (
        "order reference", "order ref",
        "bestellreferenz",
        "référence de commande",
        "referencia de pedido", "referencia del pedido",
        "referência do pedido", "referência da encomenda",
        "referencja zamówienia",
        "bestelreferentie", "orderreferentie",
    ),
    Column.START_DATE: (
        "start date", "starting date", "joining date", "join date", "hire date", "first day", "first day of work",
        "date of joining", "date of hire", "employment start date", "onboarding date",
        "startdatum", "eintrittsdatum", "eintritt", "einstellungsdatum", "erster arbeitstag", "beginn",
        "date de début", "date d'arrivée", "date d'entrée", "date d'embauche", "premier jour",
        "fecha de inicio", "fecha de ingreso", "fecha de incorporación", "fecha de alta", "primer día",
        "data de início", "data de admissão", "data de entrada", "primeiro dia",
        "data rozpoczęcia", "data rozpoczęcia pracy", "data zatrudnienia", "pierwszy dzień",
        "datum indiensttreding", "datum in dienst", "begindatum", "ingangsdatum", "eerste werkdag",
    ),
}  # fmt: skip

# Where a parcel goes is named with or without one of these words in front.
PREFIXES = ("shipping", "ship to", "delivery", "recipient")
PLACES: dict[Column, tuple[str, ...]] = {
    Column.SHIPPING_ADDRESS: ("address", "street", "street address"),
    Column.SHIPPING_CITY: ("city", "town"),
    Column.SHIPPING_STATE: ("state", "province"),
    Column.SHIPPING_ZIP: ("zip", "zip code", "postal code", "postcode"),
    Column.SHIPPING_COUNTRY: ("country", "country code"),
}

# The first line of an address: all of it where it stands alone. (See docs/decisions/0009 for all of these.)
FIRST_LINES = (
    "address line 1", "address 1", "street 1", "street address 1", "street address line 1", "street line 1",
    "adresszeile 1", "adresse 1", "adresse ligne 1", "dirección 1", "línea de dirección 1", "endereço 1", "adres 1",
)  # fmt: skip
# What can only be the first line of one address in several lines …
LINES_ONE = (
    "address line 1", "street address line 1", "street line 1", "adresszeile 1", "adresse ligne 1",
    "línea de dirección 1",
)  # fmt: skip
# … and the lines after it: joined to it, in this order.
NEXT_LINES = (
    ("address line 2", "street address line 2", "street line 2", "adresszeile 2", "adresse ligne 2",
     "línea de dirección 2", "adresszusatz", "complément d'adresse"),
    ("address line 3", "street address line 3", "street line 3", "adresszeile 3", "adresse ligne 3",
     "línea de dirección 3"),
)  # fmt: skip
# Parts of an address that no rule joins: a second address, or a number that stands before the street in one country
# and after it in the next.
ADDRESS_PARTS = (
    "address 2", "address 3", "street 2", "street 3", "street address 2", "adresse 2", "dirección 2", "endereço 2",
    "adres 2",
    "house number", "house no", "street number", "street no", "building number", "apartment", "apartment number",
    "apt", "apt no", "apt suite", "apartment suite", "suite number", "flat number", "unit number", "apt unit",
    "hausnummer", "hausnr", "haus nr", "numéro de rue", "n° de rue", "número de casa", "número exterior",
    "número interior", "número da porta", "nr domu", "numer domu", "nr mieszkania", "numer mieszkania",
    "huisnummer", "huisnr", "huisnummer toevoeging", "toevoeging",
)  # fmt: skip

# A header that says no more than whose, or what for: "Employee" is no employee's e-mail.
BARE_WORDS = (
    "employee", "recipient", "user", "contact", "work", "company", "business", "corporate", "office", "legal",
    "preferred", "shipping", "delivery", "home", "order", "number", "mitarbeiter", "personal",
)  # fmt: skip
# What is the last name beside a first name ("Vorname", "Name"), and the first name beside a last name.
LAST_BESIDE_FIRST = ("name", "nom", "naam")
FIRST_BESIDE_LAST = ("nombre", "nome")

# What an item column's header says, in the languages of the table of synonyms.
ITEM_WORDS = (
    "laptop", "laptops", "notebook", "computer", "pc", "desktop", "workstation", "macbook", "monitor", "monitors",
    "display", "screen", "bildschirm", "écran", "pantalla", "ecrã", "beeldscherm", "keyboard", "tastatur", "clavier",
    "teclado", "klawiatura", "toetsenbord", "mouse", "maus", "souris", "ratón", "rato", "mysz", "muis", "headset",
    "headphones", "casque", "auriculares", "słuchawki", "webcam", "camera", "kamera", "dock", "docking station",
    "dockingstation", "tablet", "ipad", "smartphone", "iphone", "adapter", "hub", "portátil", "ordinateur portable",
    "trackpad", "monitore", "bildschirme", "tastaturen", "mäuse", "accessory", "accessories",
)  # fmt: skip
