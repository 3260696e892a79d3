"""Two candidates answer the same questions; who answers better?

A is what there was before (a base model, a hosted fine-tune's recorded
answers), B is new. Every figure above 0 speaks for B.

``settings``  what a duel is asked for
``contest``   the rows with both answers
``orders``    one outcome from the verdicts in both orders
``holding``   the flow: answers, verdicts, one `Duel`
``figures``   from outcomes to figures, and the gate
``people``    what people said of the same pairs; ``sheet`` is what they fill in
``model``     what ``duel.json`` holds
``words``, ``markdown``, ``page``  the same for people
"""
